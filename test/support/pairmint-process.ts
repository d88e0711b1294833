import { expect, onTestFinished, vi } from 'vitest';
import { listeningAt, pairmint } from './server-process.mjs';

export { pairmint };

export type PairmintProcess = ReturnType<typeof pairmint>;

/** A line of the server's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

/** Runs `pairmint serve` on a free port until the test is over, and waits until it listens. */
export async function serve(env: NodeJS.ProcessEnv, ...args: string[]) {
  const process = pairmint(env, 'serve', '--port', '0', ...args);
  onTestFinished(() => {
    process.child.kill('SIGKILL');
  });
  return { ...process, url: await listeningAt(process) };
}

/** The log that a server has written until now. @throws SyntaxError if a line is not JSON */
export function logOf({ written }: Pick<PairmintProcess, 'written'>): LogLine[] {
  const whole = written.stderr.slice(0, written.stderr.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LogLine);
}

/** Where a server that was asked for metrics serves them. */
export async function metricsUrl(server: Pick<PairmintProcess, 'written'>): Promise<string> {
  return vi.waitFor(() => {
    const line = logOf(server).find(({ msg }) => msg === 'listening');
    expect(line?.metrics).toMatch(/^http:.*\/metrics$/);
    return line?.metrics as string;
  });
}
