import { describe, expect, it } from 'vitest';
import type { TextSink } from '../../lib/cli/context.ts';
import { GeneralError } from '../../lib/cli/errors.ts';
import { printPages } from '../../lib/cli/output/output.ts';
import { parseQuery } from '../../lib/cli/output/query.ts';
import { Dictionary } from '../../lib/cli/python/value.ts';
import { recordedOutputs, responses, runOn } from './recorded-outputs.ts';

const ofSinglePages = recordedOutputs.filter(({ args }) => args[0] !== 'list-keys');

describe('responses are printed as AWS CLI 2.9 was recorded to print them', () => {
  it.each(ofSinglePages.map((known) => [known.args.join(' '), known.response, known] as const))(
    '%s (%s)',
    async (_, response, { args, exitCode, stdout, stderr, requests }) => {
      const outcome = await runOn(responses[response] as readonly object[], args);
      expect(outcome).toMatchObject({ exitCode, stdout, stderr, requests });
    },
  );

  it('which is shown for every format, of every kind of result, of most operations that answer', () => {
    const operations = new Set(recordedOutputs.map(({ args }) => args[0]));
    expect(recordedOutputs.length).toBeGreaterThan(250);
    expect(operations.size).toBeGreaterThanOrEqual(16);
  });
});

describe('on a terminal', () => {
  const off = '\x1b[0m';
  const edge = `\x1b[2m\x1b[33m|${off}`;
  const cell = (text: string) => `\x1b[1m\x1b[34m${text}${off}`;
  // Read from a pseudo-terminal of no width, where every row is set upright.
  const pieces = [
    ['', '|    ListKeys     |', '', '\n'],
    ['', '+-----------------+', '', '\n'],
    [edge, '|     Keys      |', edge, '\n'],
    [edge, '+---------+-----+', edge, '\n'],
    [edge, `|  ${cell('KeyArn')} |  ${cell('b')}  |`, edge, '\n'],
    [edge, `|  ${cell('KeyId')}  |  ${cell('a')}  |`, edge, '\n'],
    [edge, '+---------+-----+', edge, '\n'],
  ];
  const colored = ['-------------------\n', ...pieces.flat()];

  async function printed(sink: Partial<TextSink>, color: 'on' | 'off' | 'auto' = 'auto') {
    let text = '';
    async function* pages() {
      yield { Keys: [{ KeyId: 'a', KeyArn: 'b' }] };
    }
    const output = { format: 'table', query: undefined, color } as const;
    const write = (part: string) => {
      text += part;
    };
    await printPages('ListKeys', pages(), output, { write, ...sink });
    return text;
  }

  it('a table has colours, which are turned off behind each piece and at the end', async () => {
    const expected = colored.map((piece) => piece + off).join('') + off;
    expect(await printed({ isTerminal: true, columns: 0 })).toBe(expected);
  });

  it('and in a pager they are not turned off beyond need', async () => {
    const sink = { isTerminal: true, isPager: true, columns: 0 };
    expect(await printed(sink)).toBe(colored.join(''));
  });

  it('and there are none if they are not wanted, or the output is not a terminal', async () => {
    expect(await printed({ isTerminal: true, columns: 80 }, 'off')).not.toContain('\x1b');
    expect(await printed({})).not.toContain('\x1b');
  });

  it('a row that does not fit is set upright', async () => {
    const upright = '|  KeyArn |  b  |';
    expect(await printed({ isTerminal: true, columns: 23 }, 'off')).not.toContain(upright);
    expect(await printed({ isTerminal: true, columns: 22 }, 'off')).toContain(upright);
  });
});

describe('--output off', () => {
  it('makes every request, prints nothing, and tells of what goes wrong', async () => {
    const keys = responses.listKeys as readonly object[];
    const all = await runOn(keys, ['list-keys', '--output', 'off']);
    expect(all).toMatchObject({ exitCode: 0, stdout: '', requests: [{}, { Marker: 'm1' }] });
    const forEver = responses.listKeysForEver as readonly object[];
    const failed = await runOn(forEver, ['list-keys', '--output', 'off']);
    expect(failed).toMatchObject({ exitCode: 255, stdout: '' });
  });
});

describe('a query', () => {
  it('is refused before a request is made', async () => {
    const outcome = await runOn([{}], ['list-keys', '--query', 'Keys[']);
    expect(outcome).toMatchObject({ exitCode: 252, requests: [] });
  });

  it.each([
    ['not_null(&a)', `['any'], received: "expref"`],
    ['not_null(a, &a)', `['any'], received: "expref"`],
    ['to_array(&a)', `['any'], received: "expref"`],
    ['ceil(`1e400`)', 'cannot convert float infinity to integer'],
    ['floor(`NaN`)', 'cannot convert float NaN to integer'],
  ])('%s is refused', (expression, complaint) => {
    const search = () => parseQuery(expression).search(new Dictionary());
    expect(search).toThrow(GeneralError);
    expect(search).toThrow(complaint);
  });

  it('finds nothing that every object of JavaScript has', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'size']) {
      expect(parseQuery(name).search(new Dictionary())).toBeNull();
    }
  });
});
