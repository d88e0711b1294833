import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, vi } from 'vitest';

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PairmintProcess {
  readonly child: ChildProcess;
  /** What it has written until now. */
  readonly written: { stdout: string; stderr: string };
  readonly ended: Promise<Ended>;
}

/** A line of the server's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

/** Runs the built program. */
export function pairmint(env: NodeJS.ProcessEnv, ...args: string[]): PairmintProcess {
  const child = spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const written = { stdout: '', stderr: '' };
  child.stdout.on('data', (data) => {
    written.stdout += data;
  });
  child.stderr.on('data', (data) => {
    written.stderr += data;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...written }));
  return { child, written, ended };
}

/** Runs `pairmint serve` on a free port until the test is over, and waits until it listens. */
export async function serve(env: NodeJS.ProcessEnv, ...args: string[]) {
  const process = pairmint(env, 'serve', '--port', '0', ...args);
  onTestFinished(() => {
    process.child.kill('SIGKILL');
  });
  for (;;) {
    const [, url] = /^pairmint listening on (\S+)\n/m.exec(process.written.stdout) ?? [];
    if (url !== undefined) return { ...process, url };
    const { stdout } = process.child;
    await Promise.race([once(stdout as NodeJS.ReadableStream, 'data'), process.ended.then(fail)]);
  }
}

/** The log that a server has written until now. @throws SyntaxError where a line is no JSON */
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

function fail({ stderr }: Ended): never {
  throw new Error(stderr);
}
