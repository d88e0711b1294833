import { describe, expect, it } from 'vitest';
import { run } from './run.ts';

const material = [
  ...['import-key-material', '--key-id', 'k', '--import-token', 'AQID'],
  ...['--encrypted-key-material', 'AQID'],
];
const newYear = new Date('2027-01-01T00:00:00Z');

async function validTo(...args: string[]): Promise<unknown> {
  const { calls, stderr } = await run([...material, ...args]);
  const [call] = calls;
  return call === undefined ? stderr : (call.request as { ValidTo: unknown }).ValidTo;
}

function refusal(value: string, type = 'str'): string {
  return (
    '\nParameter validation failed:\n' +
    `Invalid type for parameter ValidTo, value: ${value}, type: <class '${type}'>, ` +
    "valid types: <class 'datetime.datetime'>, timestamp-string\n"
  );
}

describe('a timestamp', () => {
  it.each([
    '2027-01-01T00:00:00Z',
    '2027-01-01T02:00:00.987+02:00',
    '2026-12-31 18:30 -0530',
    '2027-1-1T0:00',
    '2027-01-01',
    '1798761600',
    '1798761600.9',
    'Fri, 01 Jan 2027 01:00:00 +0100',
  ])('reaches the service as a date, in whole seconds: %s', async (text) => {
    expect(await validTo('--valid-to', text)).toEqual(newYear);
  });

  it.each(['1798761600', '"2027-01-01T00:00:00"'])('may be in JSON: %s', async (json) => {
    expect(await validTo('--cli-input-json', `{"ValidTo": ${json}}`)).toEqual(newYear);
  });

  it.each(['1798761600', '2027-01-01T00:00:00Z', '2026-12-31 19:00:00 -5', "'2027-01-01'"])(
    'may be in YAML: %s',
    async (yaml) => {
      expect(await validTo('--cli-input-yaml', `ValidTo: ${yaml}`)).toEqual(newYear);
    },
  );

  it('is seconds if it is a number of eight digits', async () => {
    expect(await validTo('--valid-to', '20270101')).toEqual(new Date(20_270_101_000));
  });

  it.each(['soon', '2027-02-30', '2027-13-01', '2027-01-01T24:00:00Z', '2027-01-01T00:00:60Z'])(
    'that does not exist is refused: %s',
    async (text) => {
      expect(await validTo('--valid-to', text)).toBe(refusal(text));
    },
  );

  it('is refused if it is a day without a time in YAML', async () => {
    const complaint = refusal('2027-01-01', 'datetime.date');
    expect(await validTo('--cli-input-yaml', 'ValidTo: 2027-01-01')).toBe(complaint);
  });
});
