import { readCount, requestOf, requireOptions } from '../arguments/batch-request.ts';
import { type Context, oneShot, type RunCommand, type Service, withService } from '../context.ts';
import { exitCodes, GeneralError, isServiceFailure, ServiceError } from '../errors.ts';
import { BatchFile, lineOf, type Response } from '../files/batch-file.ts';
import { Progress } from '../output/progress.ts';
import { stopAt } from './stop-signals.ts';

const operation = 'GenerateDataKeyPairWithoutPlaintext';
type Request = Parameters<Service['mintDataKeyPairs']>[0];

/** Where responses go. */
interface Destination {
  /** How many it has from an earlier run. */
  readonly lines: number;
  /** False if the reader is gone. */
  append(responses: readonly Response[]): Promise<boolean>;
}

// Waiting for the disk takes as long as some thousand pairs of a curve's points, or one of RSA_4096.
const chunk = 256;
const chunkEvery = 500;

export const run: RunCommand = async (given, own, context) => {
  requireOptions(given, ['--key-id', '--key-pair-spec', '--count']);
  const request = requestOf(operation, given) as Request;
  const count = readCount(given, '--count') as number;
  const file = given.get('--out');
  const stop = stopAt('SIGINT');
  try {
    await withService(context, oneShot(own), async (service) => {
      if (file === undefined) {
        return pregenerate(service, request, count, toStdout(context), context, stop.signal);
      }
      const batch = await BatchFile.open(file, request);
      try {
        requireRoom(batch, file, count);
        await pregenerate(service, request, count, toFile(batch), context, stop.signal);
      } finally {
        await batch.close();
      }
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    const next = file === undefined ? '' : '; the same command goes on';
    context.stderr.write(`pairmint: interrupted${next}\n`);
    return exitCodes.interrupted;
  } finally {
    stop.release();
  }
  return exitCodes.success;
};

async function pregenerate(
  service: Service,
  request: Request,
  count: number,
  destination: Destination,
  { stderr }: Context,
  signal: AbortSignal,
): Promise<void> {
  const left = count - destination.lines;
  if (left === 0) return;
  const progress = new Progress(stderr, { total: count, first: destination.lines });
  const pending: Response[] = [];
  let done = destination.lines;
  let flushedAt = performance.now();
  const flush = async () => {
    const responses = pending.splice(0);
    const isWanted = await destination.append(responses);
    done += responses.length;
    flushedAt = performance.now();
    progress.update(done);
    return isWanted;
  };
  try {
    for await (const response of service.mintDataKeyPairs(request, { count: left, signal })) {
      pending.push({ ...response });
      if (pending.length < chunk && performance.now() - flushedAt < chunkEvery) continue;
      if (!(await flush())) return;
    }
  } catch (error) {
    throw isServiceFailure(error) ? new ServiceError(operation, error) : error;
  } finally {
    if (pending.length > 0) await flush();
    progress.end();
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
