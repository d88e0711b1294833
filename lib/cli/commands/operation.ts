import { type OperationName, operationShapes } from '../../model/shapes.ts';
import { mergeInput, skeletonOption } from '../arguments/cli-input.ts';
import { requestOptions } from '../arguments/operation-options.ts';
import { readParameter } from '../arguments/parameter-values.ts';
import { checkRequest, decodeBlobs, readTimestamps } from '../arguments/request-checks.ts';
import type { Given, OperationLine } from '../command-line.ts';
import {
  type Calls,
  type Context,
  type OwnOptions,
  oneShot,
  type TextSink,
  withService,
} from '../context.ts';
import { isServiceFailure, ServiceError, UsageError } from '../errors.ts';
import { printPages } from '../output/output.ts';
import { type ResponsePages, readPaging, responsePages } from '../output/paginated-call.ts';
import { Dictionary, toRequest } from '../python/value.ts';
import type { DebugLog } from '../remote/debug-log.ts';
import type { Settings } from '../settings/settings.ts';

/** The settings and options of a command line beside the operation's own options. */
export interface Surroundings {
  readonly settings: Settings;
  readonly own: OwnOptions;
  readonly debug: DebugLog | undefined;
}

/** Makes the request that the command line has, and prints the response. */
export async function runOperation(
  { operation, words }: OperationLine,
  surroundings: Surroundings,
  context: Context,
): Promise<void> {
  surroundings.settings.checkTimestampFormat();
  if (words.kind === 'mistaken') throw words.error;
  if (words.kind === 'help') {
    const { operationHelp } = await import('../help/help.ts');
    context.stdout.write(operationHelp(operation));
    return;
  }
  const { given } = words;
  const request = await mergeInput(given, readParameters(operation, given));
  const kind = given.get(skeletonOption.key);
  if (kind === 'input' || kind === 'yaml-input') {
    const { skeleton } = await import('../help/skeleton.ts');
    context.stdout.write(await skeleton(operation, kind));
    return;
  }
  const call = { operation, request, given, ...surroundings };
  await (kind === 'output' ? printSample(call, context) : makeCall(call, context));
}

function readParameters(operation: OperationName, given: Given): Dictionary {
  const request = new Dictionary();
  for (const option of requestOptions(operation)) {
    const value = given.get(option.member);
    if (value !== undefined) request.set(option.member, readParameter(option, value));
  }
  return request;
}

interface Call extends Surroundings {
  readonly operation: OperationName;
  readonly request: Dictionary;
  readonly given: Given;
}

/** Throws what the AWS CLI complains about before it sends anything. */
function checked({ operation, request, settings }: Call): object {
  const { input } = operationShapes[operation];
  decodeBlobs(input, request, settings.binaryFormat);
  if (settings.validates) checkRequest(input, request);
  readTimestamps(input, request);
  return toRequest(request) as object;
}

async function printSample(call: Call, context: Context): Promise<void> {
  call.settings.checkProfile();
  checked(call);
  const { sampleResponse } = await import('../help/skeleton.ts');
  const sample = sampleResponse(call.operation);
  async function* pages() {
    yield sample;
  }
  await print(call, pages(), context);
}

async function makeCall(call: Call, context: Context): Promise<void> {
  const { settings, own, debug } = call;
  const endpointUrl = chooseServer(call);
  if (endpointUrl !== undefined) {
    const remote = settings.remote(endpointUrl);
    const request = checked(call);
    const { RemoteService } = await import('../remote/remote.ts');
    const service = await RemoteService.connect(remote, debug);
    await show(call, request, service, context).finally(() => service.close());
    return;
  }
  settings.checkProfile();
  const request = checked(call);
  const { localRegion: region } = settings;
  const options = { ...oneShot(own), ...(region !== undefined && { region }) };
  await withService(context, options, (service) => show(call, request, service, context));
}

const storeOptions = { store: '--store', rootKeyFile: '--root-key-file' } as const;

/** A store on the command line is the one that is meant, whatever the environment says. */
function chooseServer({ settings, own }: Call): string | undefined {
  const [name] = (['store', 'rootKeyFile'] as const).filter((key) => own[key] !== undefined);
  if (name === undefined) return settings.endpointUrl;
  if (settings.isEndpointGiven) {
    throw new UsageError(
      `argument ${storeOptions[name]}: not allowed with argument --endpoint-url`,
    );
  }
  return undefined;
}

async function show(call: Call, request: object, service: Calls, context: Context): Promise<void> {
  const { operation, given, settings } = call;
  const { paginate, validates } = settings;
  const paging = { ...readPaging(given), paginate, validates };
  await print(call, responsePages(observed(call, service), operation, request, paging), context);
}

/** Tells of refusals in the AWS CLI's words, and the log of everything. */
function observed({ operation, debug }: Call, service: Calls): Pick<Calls, 'call'> {
  return {
    call: async (name, request) => {
      debug?.request(operation, request as object);
      const begun = performance.now();
      try {
        return await service.call(name, request);
      } catch (error) {
        throw isServiceFailure(error) ? new ServiceError(operation, error) : error;
      } finally {
        debug?.write('service', `${operation} took ${Math.round(performance.now() - begun)} ms`);
      }
    },
  };
}

async function print(
  { operation, settings }: Call,
  pages: ResponsePages,
  { stdout, env }: Context,
): Promise<void> {
  const { output: format, query, color, pager, timestampFormat: timestamps } = settings;
  const options = { format, query, color, timestamps };
  const write = (sink: TextSink) => printPages(operation, pages, options, sink);
  if (stdout.isTerminal !== true || pager === '') return write(stdout);
  const { throughPager } = await import('../output/pager.ts');
  await throughPager(pager, { env, terminal: stdout }, write);
}
