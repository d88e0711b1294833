import { openOptions, type RunCommand, type Service, withService } from '../context.ts';
import { formatJson } from '../output/output.ts';

export const run: RunCommand = async (given, own, context) => {
  const region = given.get('--region');
  const accountId = given.get('--account-id');
  const seed = given.get('--seed');
  await withService(
    context,
    {
      ...openOptions(own),
      create: true,
      ...(region !== undefined && { region }),
      ...(accountId !== undefined && { accountId }),
      ...(seed !== undefined && { seed }),
    },
    describe,
  );
  // Opened again without the options, to tell what other commands will find: a store that was there
  // before keeps its region.
  const place = await withService(context, openOptions(own), describe);
  if (region !== undefined && place.region !== region) {
    context.stderr.write(`pairmint: the store was there before and keeps ${place.region}\n`);
  }
  const summary = {
    Store: place.url,
    RootKeyFile: place.rootKeyFile,
    Region: place.region,
    AccountId: place.accountId,
  };
  context.stdout.write(formatJson(summary));
  return 0;
};

async function describe(service: Service): Promise<ReturnType<Service['describeStore']>> {
  return service.describeStore();
}
