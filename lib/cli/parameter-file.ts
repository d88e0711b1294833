import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';

/** Its message tells what could not be loaded, and why in the words of the system. */
export class ParameterFileError extends Error {
  override readonly name = 'ParameterFileError';
}

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
    return readFileSync(path);
  } catch (error) {
    throw new ParameterFileError(
      `Unable to load paramfile ${reference}: ${systemError(error, path)}`,
    );
  }
}

function systemError(error: unknown, path: string): string {
  const { code = '', errno = 0, message } = error as NodeJS.ErrnoException;
  const reason = systemMessages[code];
  return reason === undefined ? message : `[Errno ${Math.abs(errno)}] ${reason}: '${path}'`;
}

/** Text files are read with every kind of line end turned into a line feed. */
function decode(path: string, bytes: Uint8Array): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.replace(/\r\n?/g, '\n');
  } catch {
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
