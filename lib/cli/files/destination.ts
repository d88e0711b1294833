import type { Context } from '../context.ts';
import { GeneralError } from '../errors.ts';
import { BatchFile, lineOf, type Response } from './batch-file.ts';

/** Where the responses of many pairs go. */
export interface Destination {
  /** How many lines it has from an earlier run. */
  readonly lines: number;
  /** False if the reader is gone. */
  append(responses: readonly Response[]): Promise<boolean>;
}

/**
 * Lets `use` write responses to a file, which goes on with what it has, or to stdout without one.
 *
 * @param request what the file is for: another request does not go on with it
 * @param most how many responses there will be
 * @throws GeneralError if the file is not one of these responses, or has more
 */
export async function withDestination<T>(
  file: string | undefined,
  { request, most }: { request: object; most: number },
  context: Context,
  use: (destination: Destination) => Promise<T>,
): Promise<T> {
  if (file === undefined) return use(toStdout(context));
  const batch = await BatchFile.open(file, request);
  try {
    requireRoom(batch, file, most);
    return await use(toFile(batch));
  } finally {
    await batch.close();
  }
}

function toFile(batch: BatchFile): Destination {
  return {
    lines: batch.lines,
    async append(responses) {
      await batch.append(responses);
      return true;
    },
  };
}

function toStdout({ stdout }: Context): Destination {
  return {
    lines: 0,
    async append(responses) {
      stdout.write(responses.map(lineOf).join(''));
      return (await stdout.drained?.()) ?? true;
    },
  };
}

function requireRoom({ lines }: BatchFile, file: string, count: number): void {
  if (lines <= count) return;
  throw new GeneralError(`pairmint: ${file} has ${lines} pairs already, more than ${count}`);
}
