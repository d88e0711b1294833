// The built program as a process of its own; as a server, on a store of its own, for real clients.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));

/** The account's root, who may use every key. */
export const root = 'arn:aws:iam::000000000000:root';

/**
 * Starts a server on a free port. It is stopped with `stop`, which tells how that went.
 *
 * @param {string[]} args more options of `pairmint serve`
 */
export async function startServer(...args) {
  const home = mkdtempSync(path.join(os.tmpdir(), 'pairmint-test-'));
  const env = { PAIRMINT_HOME: home };
  const server = pairmint(env, 'serve', '--port', '0', ...args);
  const url = await listeningAt(server);
  return {
    url,
    home,
    pid: server.child.pid,
    /** Makes an access key as users do. */
    async accessKey(/** @type {string} */ principal = root, /** @type {string[]} */ ...options) {
      const args = ['credentials', 'create', '--principal', principal, ...options];
      const { code, stdout, stderr } = await pairmint(env, ...args).ended;
      if (code !== 0) throw new Error(stderr);
      const { AccessKeyId, SecretAccessKey, SessionToken } = JSON.parse(stdout);
      return {
        accessKeyId: AccessKeyId,
        secretAccessKey: SecretAccessKey,
        ...(SessionToken && { sessionToken: SessionToken }),
      };
    },
    /** Ends the server as service managers do. Resolves to its exit code, null if it crashed. */
    async stop() {
      server.child.kill('SIGTERM');
      const { code } = await server.ended;
      rmSync(home, { recursive: true, force: true });
      return code;
    },
  };
}

/**
 * Runs the program. `written` is what it has written until now.
 *
 * @param {NodeJS.ProcessEnv} env besides that of this process
 * @param {string[]} args
 */
export function pairmint(env, ...args) {
  const child = spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const written = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) {
    child[stream].on('data', (data) => {
      written[stream] += data;
    });
  }
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...written }));
  return { child, written, ended };
}

/**
 * Resolves to the URL of a server. If the server ends instead, rejects with its complaint.
 *
 * @param {ReturnType<typeof pairmint>} server
 */
export async function listeningAt({ child, written, ended }) {
  for (;;) {
    const [, url] = /^pairmint listening on (\S+)\n/m.exec(written.stdout) ?? [];
    if (url !== undefined) return url;
    const failed = ended.then(({ stderr }) => Promise.reject(new Error(stderr)));
    await Promise.race([once(child.stdout, 'data'), failed]);
  }
}

/** The memory that a process has, in MiB. Linux only. */
export function residentMemory(pid) {
  const [, kib] = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

/** How many files and sockets a process has open. Linux only. */
export function openFiles(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}
