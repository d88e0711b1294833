import { isPostgresUrl, type Places, placesOf, storeStateAt } from '../../service/places.ts';
import { internalFailure } from '../arguments/complaints.ts';
import {
  type Context,
  type OwnOptions,
  openOptions,
  type RunCommand,
  type Service,
  withService,
} from '../context.ts';
import { isConfigurationFailure } from '../errors.ts';
import { definition, wrap } from '../output/text-layout.ts';
import {
  checkFence,
  checkNode,
  checkRootKeyFile,
  checkStoreFile,
  describeBackup,
  describeMinting,
  type Finding,
} from './findings.ts';

const subjectColumn = 18;

/** Exit code 1 tells scripts that something is broken; advice alone is no failure. */
export const run: RunCommand = async (_given, own, context) => {
  const places = placesOf(own);
  const findings = [
    checkNode(process.versions.node),
    ...(await inspectAddon(context)),
    ...(await inspectStore(context, own, places)),
  ];
  context.stdout.write(report(findings));
  return findings.some((finding) => finding.isBroken) ? 1 : 0;
};

/** A store in memory needs the addon and nothing else. */
async function inspectAddon(context: Context): Promise<Finding[]> {
  return reporting('native addon', () =>
    withService(context, { store: 'memory:' }, async (service) => describeCapabilities(service)),
  );
}

function describeCapabilities(service: Service): Finding[] {
  return [
    { subject: 'native addon', text: `loaded, for ${process.platform}-${process.arch}` },
    ...describeMinting(service.capabilities()),
  ];
}

/** Does not open an absent store: opening would make it. */
async function inspectStore(context: Context, own: OwnOptions, places: Places): Promise<Finding[]> {
  const { store, file, rootKeyFile } = places;
  if (file !== undefined && storeStateAt(file) === 'none') {
    return [{ subject: 'store', text: `none yet at ${store}; the first operation makes it` }];
  }
  const opened = await reporting('store', () =>
    withService(context, openOptions(own), (service) => describeStore(service)),
  );
  if (isPostgresUrl(store)) return [...opened, ...checkRootKeyFile(rootKeyFile)];
  return file === undefined
    ? opened
    : [...opened, ...checkStoreFile(file), ...checkRootKeyFile(rootKeyFile, file)];
}

async function describeStore(service: Service): Promise<Finding[]> {
  const { url, region, accountId } = service.describeStore();
  return [
    { subject: 'store', text: `${url}, for account ${accountId} in ${region}` },
    ...(await service.store.facts()),
    ...checkFence(service.store),
    // A server's own backups are not ours to know of.
    ...(isPostgresUrl(url) ? [] : [describeBackup(await service.store.lastBackup(), Date.now())]),
  ];
}

/** A failure is a finding like any other. */
async function reporting(subject: string, find: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await find();
  } catch (error) {
    if (!isConfigurationFailure(error)) {
      return [{ subject, text: internalFailure(error), isBroken: true }];
    }
    const { message, hint } = error;
    return [
      { subject, text: message, isBroken: true, ...(hint !== undefined && { advice: hint }) },
    ];
  }
}

function report(findings: readonly Finding[]): string {
  const facts = findings.flatMap(({ subject, text, isBroken }) =>
    text === undefined
      ? []
      : [definition(subject, isBroken ? `BROKEN: ${text}` : text, subjectColumn)],
  );
  const advice = findings.flatMap((finding) => finding.advice ?? []);
  const lines = advice.map((sentence) => `  - ${wrap(sentence, 4).trimStart()}`);
  const hints = lines.length === 0 ? [] : ['', 'Could be better:', ...lines];
  return `${[...facts, ...hints].join('\n')}\n`;
}
