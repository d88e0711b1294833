import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type PairmintServer, type TlsFiles } from '../../http/server.ts';
import { openOptions, withService } from '../context.ts';
import { cannotParse, UsageError } from '../errors.ts';
import type { RunCommand } from '../own-commands.ts';

export const run: RunCommand = async (given, own, context) => {
  const host = given.get('--host');
  const port = readPort(given.get('--port'));
  const region = given.get('--region');
  const readTls = tlsReader(given.get('--tls-cert'), given.get('--tls-key'));
  await withService(context, { ...openOptions(own), region }, async (service) => {
    const server = createServer(service, { auth: !given.has('--no-auth'), tls: readTls?.() });
    const url = await server.listen({ host, port });
    const reload = readTls && (() => reloadTls(server, readTls, context.stderr));
    if (reload) process.on('SIGHUP', reload);
    context.stdout.write(`pairmint listening on ${url}\n`);
    await once(process, 'SIGTERM');
    if (reload) process.off('SIGHUP', reload);
    await server.drain();
  });
  return 0;
};

function readPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text);
  throw cannotParse('--port', `'${text}' is not a port`);
}

/** Reads the files anew each time it is called. */
function tlsReader(cert: string | undefined, key: string | undefined) {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new UsageError('--tls-cert and --tls-key go together');
  }
  return (): TlsFiles => ({ cert: read('--tls-cert', cert), key: read('--tls-key', key) });
}

function read(option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw cannotParse(option, (error as Error).message);
  }
}

/** A certificate that cannot be used leaves the one in use in place. */
function reloadTls(
  server: PairmintServer,
  readTls: () => TlsFiles,
  stderr: { write(text: string): void },
): void {
  try {
    server.setTls(readTls());
  } catch (error) {
    stderr.write(`pairmint: the certificate is not changed: ${(error as Error).message}\n`);
  }
}
