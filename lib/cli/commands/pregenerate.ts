import { readCount, requestOf, requireOptions } from '../arguments/batch-request.ts';
import { type Context, oneShot, type RunCommand, type Service, withService } from '../context.ts';
import { exitCodes, isServiceFailure, ServiceError } from '../errors.ts';
import type { Response } from '../files/batch-file.ts';
import { type Destination, withDestination } from '../files/destination.ts';
import { Progress } from '../output/progress.ts';
import { stopAt } from './stop-signals.ts';

const operation = 'GenerateDataKeyPairWithoutPlaintext';
type Request = Parameters<Service['mintDataKeyPairs']>[0];

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
      await withDestination(file, { request, most: count }, context, (destination) =>
        pregenerate(service, request, count, destination, context, stop.signal),
      );
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
