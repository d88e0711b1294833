import type { OperationName } from '../../model/shapes.ts';
import { callerIdentity } from '../../service/caller-identity.ts';
import { type Calls, type Context, oneShot, withService } from '../context.ts';
import { isServiceFailure, ServiceError } from '../errors.ts';
import { printPages } from '../output/output.ts';
import { Dictionary } from '../python/value.ts';
import type { Surroundings } from './operation.ts';

/** `sts get-caller-identity`, which scripts begin with; there is nothing else of STS here. */
export async function runGetCallerIdentity(
  surroundings: Surroundings,
  context: Context,
): Promise<void> {
  const { settings } = surroundings;
  settings.checkTimestampFormat();
  const arn = await callerArn(surroundings, context);
  const { output: format, query, color } = settings;
  async function* pages() {
    yield identityOf(arn);
  }
  // Tables are titled with it.
  const title = 'GetCallerIdentity' as OperationName;
  await printPages(title, pages(), { format, query, color }, context.stdout);
}

async function callerArn({ settings, own, debug }: Surroundings, context: Context) {
  const isLocal = own.store !== undefined || own.rootKeyFile !== undefined;
  const endpointUrl = isLocal ? undefined : settings.endpointUrl;
  if (endpointUrl === undefined) {
    settings.checkProfile();
    return withService(context, oneShot(own), async ({ principal }) => principal);
  }
  const remote = settings.remote(endpointUrl);
  const { RemoteService } = await import('../remote/remote.ts');
  const service = await RemoteService.connect(remote, debug);
  return askKms(service, remote.region).finally(() => service.close());
}

// A key that does not exist, in two accounts: at least one of them is not the caller's.
const strangers = ['111111111111', '222222222222'];
const strangersKey = '00000000-0000-4000-8000-000000000000';

/**
 * Who asks, as KMS has it: it says so when it refuses another account's key. The server has no STS
 * to ask, and this changes nothing.
 */
async function askKms(service: Calls, region: string): Promise<string> {
  let failure: unknown;
  for (const account of strangers) {
    const KeyId = `arn:aws:kms:${region}:${account}:key/${strangersKey}`;
    failure = await service.call('DescribeKey', { KeyId }).then(
      () => undefined,
      (error) => error,
    );
    const message = failure instanceof Error ? failure.message : '';
    const [, arn] = /^User: (\S+) is not authorized /.exec(message) ?? [];
    if (arn !== undefined) return arn;
  }
  throw isServiceFailure(failure) ? new ServiceError('GetCallerIdentity', failure) : failure;
}

function identityOf(arn: string): Dictionary {
  const { userId, accountId } = callerIdentity(arn);
  return new Dictionary([
    ['UserId', userId],
    ['Account', accountId],
    ['Arn', arn],
  ]);
}
