import { constants, existsSync } from 'node:fs';
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { operationShapes, type ShapeName } from '../../model/shapes.ts';
import { fromJson, toJson } from '../../model/wire.ts';
import { GeneralError } from '../errors.ts';
import { claimFile } from './exclusive-use.ts';

/** A response of GenerateDataKeyPairWithoutPlaintext. */
export type Response = Readonly<Record<string, unknown>>;

const operation = 'GenerateDataKeyPairWithoutPlaintext';
const output = operationShapes[operation].output as ShapeName;
const members = [
  'KeyId',
  'KeyMaterialId',
  'KeyPairSpec',
  'PrivateKeyCiphertextBlob',
  'PublicKey',
] as const;

/** A response as one line of compact JSON. */
export function lineOf(response: object): string {
  return `${JSON.stringify(toJson(output, response, { timestamps: 'iso8601' }))}\n`;
}

/**
 * The file of a batch: a response a line. What request they answer, which the lines do not say, is
 * kept in another file beside it, so that a batch is not continued with another request.
 */
export class BatchFile {
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #release: () => void;
  #size: number;
  #lines: number;
  #keyId: string | undefined;

  private constructor(options: {
    file: string;
    handle: FileHandle;
    release: () => void;
    found: Found;
  }) {
    this.#file = options.file;
    this.#handle = options.handle;
    this.#release = options.release;
    this.#size = options.found.size;
    this.#lines = options.found.lines;
    this.#keyId = options.found.keyId;
  }

  /**
   * Opens the file of a request, or makes it. An incomplete last line, left by a kill, is cut off.
   *
   * @throws GeneralError if the file holds anything else, or another process writes to it
   */
  static async open(file: string, request: object): Promise<BatchFile> {
    const release = claim(file);
    try {
      const handle = await openFile(file);
      try {
        const found = await look(file, handle, request);
        await handle.truncate(found.size);
        return new BatchFile({ file, handle, release, found });
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      release();
      throw error;
    }
  }

  /** How many responses it has. */
  get lines(): number {
    return this.#lines;
  }

  /** Appends responses: on disk on return. @throws GeneralError if they do not belong there */
  async append(responses: readonly Response[]): Promise<void> {
    for (const { KeyId } of responses) {
      this.#keyId ??= KeyId as string;
      if (KeyId === this.#keyId) continue;
      throw refusal(this.#file, `has pairs of ${this.#keyId}; the key is ${KeyId} now`);
    }
    const bytes = Buffer.from(responses.map(lineOf).join(''), 'utf8');
    const { size } = await this.#handle.stat();
    if (size !== this.#size) throw refusal(this.#file, 'was changed by another program');
    for (let at = 0; at < bytes.length; ) {
      const left = bytes.length - at;
      at += (await this.#handle.write(bytes, at, left, this.#size + at)).bytesWritten;
    }
    await this.#handle.datasync();
    this.#size += bytes.length;
    this.#lines += responses.length;
  }

  async close(): Promise<void> {
    await this.#handle.close();
    this.#release();
  }
}

/** The part of a file that is whole lines. */
interface Found {
  readonly size: number;
  readonly lines: number;
  readonly keyId: string | undefined;
}

function claim(file: string): () => void {
  try {
    return claimFile(file);
  } catch (error) {
    if (error instanceof GeneralError) throw error;
    throw refusal(file, `cannot be written: ${(error as Error).message}`);
  }
}

async function openFile(file: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT } = constants;
  let handle: FileHandle;
  try {
    handle = await open(file, O_RDWR | O_CREAT, 0o600);
  } catch (error) {
    throw refusal(file, `cannot be written: ${(error as Error).message}`);
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw refusal(file, 'is no file');
}

async function look(file: string, handle: FileHandle, request: object): Promise<Found> {
  const stateFile = `${file}.state`;
  const { size } = await handle.stat();
  if (size === 0) {
    await writeWhole(stateFile, `${JSON.stringify(request)}\n`);
    return { size: 0, lines: 0, keyId: undefined };
  }
  if (!existsSync(stateFile)) {
    throw refusal(file, `is there already, and ${stateFile} does not tell what it is for`);
  }
  if (!isDeepStrictEqual(await readJson(stateFile), JSON.parse(JSON.stringify(request)))) {
    throw refusal(file, `was begun with other arguments: they are in ${stateFile}`);
  }
  return readLines(file, handle, (request as Response).KeyPairSpec);
}

/** Replaces a file: after a kill there is the old one or the new one. */
async function writeWhole(file: string, text: string): Promise<void> {
  const handle = await open(`${file}.new`, 'w', 0o600);
  await handle.writeFile(text);
  await handle.datasync();
  await handle.close();
  await rename(`${file}.new`, file);
  const folder = await open(path.dirname(file), 'r');
  await folder.sync();
  await folder.close();
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    throw refusal(file, 'is not as pairmint wrote it');
  }
}

async function readLines(file: string, handle: FileHandle, spec: unknown): Promise<Found> {
  let size = 0;
  let lines = 0;
  let keyId: string | undefined;
  for await (const line of wholeLines(handle)) {
    const response = responseIn(line);
    keyId ??= response?.KeyId as string | undefined;
    if (response?.KeyPairSpec !== spec || response?.KeyId !== keyId) {
      throw refusal(file, `has a line, number ${lines + 1}, that does not belong to the batch`);
    }
    lines++;
    size += line.length + 1;
  }
  return { size, lines, keyId };
}

const newline = 0x0a;
const blockSize = 1 << 16;

/** The lines of a file, up to the first that has no end or, after a loss of power, is zeros. */
async function* wholeLines(handle: FileHandle): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  const block = Buffer.alloc(blockSize);
  for (let at = 0; ; ) {
    const { bytesRead } = await handle.read(block, 0, blockSize, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    rest = Buffer.concat([rest, block.subarray(0, bytesRead)]);
    let from = 0;
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline, from)) {
      const line = rest.subarray(from, end);
      if (line.includes(0)) return;
      yield line;
      from = end + 1;
    }
    rest = rest.subarray(from);
  }
}

function responseIn(line: Buffer): Response | undefined {
  try {
    const response = fromJson(output, JSON.parse(line.toString('utf8'))) as Response;
    const names = Object.keys(response).sort();
    return isDeepStrictEqual(names, [...members]) && lineOf(response) === `${line}\n`
      ? response
      : undefined;
  } catch {
    return undefined;
  }
}

function refusal(file: string, why: string): GeneralError {
  return new GeneralError(`pairmint: ${file} ${why}`);
}
