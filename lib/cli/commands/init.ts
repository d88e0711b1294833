import { openOptions, withService } from '../context.ts';
import { formatJson } from '../output.ts';
import type { RunCommand } from '../own-commands.ts';

export const run: RunCommand = async (given, own, context) => {
  const region = given.get('--region');
  const accountId = given.get('--account-id');
  const options = {
    ...openOptions(own),
    ...(region !== undefined && { region }),
    ...(accountId !== undefined && { accountId }),
  };
  const place = await withService(context, options, async (service) => service.describeStore());
  const summary = {
    Store: place.url,
    RootKeyFile: place.rootKeyFile,
    Region: place.region,
    AccountId: place.accountId,
  };
  context.stdout.write(formatJson(summary));
  return 0;
};
