import { closeSync, constants, lstatSync, openSync, readSync } from 'node:fs';
import { homedir } from 'node:os';
import { GeneralError } from '../errors.ts';
import { decodeText } from '../python/text-encoding.ts';

/** Its message tells what could not be loaded, and why in the words of the system. */
export class ParameterFileError extends Error {
  override readonly name = 'ParameterFileError';
}

// As large as a server's body may be, see lib/http/body.ts. Endless files are refused here.
const maxBytes = 1_048_576;

// Long enough for a program whose output is the file; a script should not hang for longer.
const patience = 10_000;
const pauseBetweenReads = 5;

// Python quotes strerror(3); Node's own messages differ in letter case.
const systemMessages: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EISDIR: 'Is a directory',
  ELOOP: 'Too many levels of symbolic links',
  ENAMETOOLONG: 'File name too long',
  ENOENT: 'No such file or directory',
  ENOTDIR: 'Not a directory',
};

/** The text of `file://path`, the bytes of `fileb://path`, or nothing if `text` is neither. */
export function loadParameterFile(text: string): string | Uint8Array | undefined {
  if (text.startsWith('fileb://')) {
    return new Uint8Array(read(text, expandPath(text.slice('fileb://'.length))));
  }
  if (text.startsWith('file://')) {
    const path = expandPath(text.slice('file://'.length));
    return decode(path, read(text, path));
  }
  return undefined;
}

function read(reference: string, path: string): Buffer {
  try {
    return readBounded(path);
  } catch (error) {
    const why = error instanceof ParameterFileError ? error.message : systemError(error, path);
    throw new ParameterFileError(`Unable to load paramfile ${reference}: ${why}`);
  }
}

/** Opened without waiting: a named pipe may never get a writer. */
function readBounded(path: string): Buffer {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return readToEnd(file, path);
  } finally {
    closeSync(file);
  }
}

function readToEnd(file: number, path: string): Buffer {
  const buffer = Buffer.alloc(maxBytes + 1);
  let length = 0;
  for (;;) {
    const isAwaited = length === 0 && lstatSync(path).isFIFO();
    const count = readMore(file, buffer.subarray(length), { path, isAwaited });
    length += count;
    if (length > maxBytes) {
      throw new ParameterFileError(`'${path}' has more than the ${maxBytes} bytes of a request`);
    }
    if (count === 0) return buffer.subarray(0, length);
  }
}

/**
 * Waits for the writer of a pipe, which may be a program that is still at work. A named pipe without
 * one is at its end, too, until a writer comes: then `isAwaited`.
 */
function readMore(
  file: number,
  space: Buffer,
  { path, isAwaited }: { readonly path: string; readonly isAwaited: boolean },
): number {
  const deadline = performance.now() + patience;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      const count = readSync(file, space);
      if (count > 0 || !isAwaited) return count;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
    if (performance.now() > deadline) {
      throw new ParameterFileError(`nothing came from '${path}' for ${patience / 1000} seconds`);
    }
    Atomics.wait(pause, 0, 0, pauseBetweenReads);
  }
}

function systemError(error: unknown, path: string): string {
  const { code = '', errno = 0, message } = error as NodeJS.ErrnoException;
  const reason = systemMessages[code];
  return reason === undefined ? message : `[Errno ${Math.abs(errno)}] ${reason}: '${path}'`;
}

/** Text files are read with every kind of line end turned into a line feed. */
function decode(path: string, bytes: Uint8Array): string {
  const { AWS_CLI_FILE_ENCODING: encoding = 'utf-8' } = process.env;
  try {
    return decodeText(bytes, encoding).replace(/\r\n?/g, '\n');
  } catch (error) {
    if (error instanceof GeneralError) throw error;
    throw new ParameterFileError(
      `Unable to load paramfile (${path}), text contents could not be decoded.  If this is a ` +
        'binary file, please use the fileb:// prefix instead of the file:// prefix.',
    );
  }
}

/** Expands `~/`, `$NAME` and `${NAME}`; names without a value stay as they are. */
function expandPath(path: string): string {
  const fromHome = path === '~' || path.startsWith('~/') ? homedir() + path.slice(1) : path;
  return fromHome.replace(
    /\$(?:(\w+)|\{([^}]*)\})/g,
    (reference, bare: string | undefined, braced: string | undefined) =>
      process.env[bare ?? braced ?? ''] ?? reference,
  );
}
