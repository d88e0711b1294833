import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { throughPager } from '../../lib/cli/output/pager.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'pairmint-pager-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;

/** The input and output of a pager that is this shell script, and the terminal's own output. */
async function paged(script: string, texts: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const file = path.join(folder, `${files++}`);
  let direct = '';
  const terminal = { write: (text: string) => (direct += text), columns: 91 };
  const seen: boolean[] = [];
  await throughPager(
    `sh -c '${script}' "a name" ${file}`,
    { env: { PATH: process.env.PATH, ...env }, terminal },
    async (sink) => {
      expect(sink).toMatchObject({ isTerminal: true, isPager: true, columns: 91 });
      for (const text of texts) {
        sink.write(text);
        seen.push((await sink.drained?.()) ?? true);
      }
    },
  );
  const written = () => readFileSync(file, 'utf8');
  return { direct, seen, written };
}

describe('a pager', () => {
  it('is given all of the text, and waited for', async () => {
    const outcome = await paged('sleep 0.1; cat > "$1"', ['one\n', 'zwei é\n']);
    expect(outcome.written()).toBe('one\nzwei é\n');
    expect(outcome.direct).toBe('');
  });

  it('is called by its words as a shell splits them', async () => {
    const outcome = await paged('echo "$0" > "$1"', ['x']);
    expect(outcome.written()).toBe('a name\n');
  });

  it('shows colours, and quits if the text fits, unless LESS says otherwise', async () => {
    expect((await paged('echo "$LESS" > "$1"', ['x'])).written()).toBe('FRX\n');
    expect((await paged('echo "$LESS" > "$1"', ['x'], { LESS: 'S' })).written()).toBe('S\n');
  });

  it('is not started if there is nothing to show', async () => {
    const outcome = await paged('echo started > "$1"', ['', '']);
    expect(outcome.written).toThrow('ENOENT');
  });

  it('may be left before the end, which stops the text', async () => {
    const texts = Array.from({ length: 40 }, () => 'x'.repeat(100_000));
    const { seen } = await paged('head -c 1 > "$1"', texts);
    expect(seen.at(-1)).toBe(false);
  });

  it('has the interrupts of the keyboard to itself from its first text on', async () => {
    const before = process.listenerCount('SIGINT');
    const terminal = { write: () => {} };
    await throughPager("sh -c 'cat > /dev/null'", { env: process.env, terminal }, async (sink) => {
      expect(process.listenerCount('SIGINT')).toBe(before);
      sink.write('text');
      expect(process.listenerCount('SIGINT')).toBe(before + 1);
    });
    expect(process.listenerCount('SIGINT')).toBe(before);
  });

  it('is not used if its name is empty', async () => {
    let direct = '';
    const terminal = { write: (text: string) => (direct += text) };
    await throughPager(' ', { env: {}, terminal }, async (sink) => sink.write('text'));
    expect(direct).toBe('text');
  });

  it('that is not there is an error that says so', async () => {
    const asked = throughPager(
      'no-such-pager -x',
      { env: { PATH: process.env.PATH }, terminal: { write: () => {} } },
      async (sink) => sink.write('text'),
    );
    await expect(asked).rejects.toMatchObject({
      name: 'SettingsError',
      message: expect.stringContaining("No such file or directory: 'no-such-pager'"),
    });
  });

  it.each([
    ['less "', 'No closing quotation'],
    ["'", 'No closing quotation'],
    ['less \\', 'No escaped character'],
  ])('cannot be %j', async (commandLine, message) => {
    const asked = throughPager(
      commandLine,
      { env: {}, terminal: { write: () => {} } },
      async () => {},
    );
    await expect(asked).rejects.toMatchObject({ name: 'GeneralError', message });
  });
});
