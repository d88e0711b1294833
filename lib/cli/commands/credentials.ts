import { readFileSync } from 'node:fs';
import { choose, required } from '../arguments/usage.ts';
import { openOptions, type RunCommand, type Service, withService } from '../context.ts';
import { cannotParse, GeneralError } from '../errors.ts';
import type { ActionOf } from '../help/command-descriptions.ts';
import { formatJson } from '../output/output.ts';

type Credential = Awaited<ReturnType<Service['credentials']['list']>>[number];
type Given = ReadonlyMap<string, string>;
/** Works on the service and returns the text to print. */
type Action = (given: Given, id: string | undefined) => Work | Promise<Work>;
type Work = (service: Service) => Promise<string>;

// As many as are read at a time.
const page = 100;

const actions: Readonly<Record<ActionOf<'credentials'>, Action>> = {
  async create(given) {
    const principal = given.get('--principal');
    if (principal === undefined) throw required('--principal');
    const credential = {
      principal,
      identityPolicy: readPolicy(given.get('--identity-policy')),
      durationSeconds: readDuration(given.get('--duration-seconds')),
    };
    // Checked before a store is opened: a bad principal must not make one.
    (await import('../../service/pairmint.ts')).checkCaller(credential);
    return async ({ credentials }) => {
      const created = await credentials.create(credential);
      return formatJson({
        AccessKeyId: created.accessKeyId,
        SecretAccessKey: created.secretAccessKey,
        ...(created.sessionToken && { SessionToken: created.sessionToken }),
        ...(created.expirationDate && { Expiration: timeText(created.expirationDate) }),
      });
    };
  },

  list() {
    return async ({ credentials }) => {
      const all: Credential[] = [];
      let found: Credential[];
      do {
        found = await credentials.list({ after: all.at(-1)?.accessKeyId, limit: page });
        all.push(...found);
      } while (found.length === page);
      return formatJson({ Credentials: all.map(describe) });
    };
  },

  delete(_given, id) {
    if (id === undefined) throw required('ACCESS_KEY_ID');
    return async ({ credentials }) => {
      if (await credentials.delete(id)) return '';
      throw new GeneralError(`pairmint: there is no access key ${id}`);
    };
  },
};

export const run: RunCommand = async (given, own, context, [name, id]) => {
  const work = await choose(actions, name)(given, id);
  context.stdout.write(await withService(context, openOptions(own), work));
  return 0;
};

function describe({ accessKeyId, principal, identityPolicy, creationDate, session }: Credential) {
  return {
    AccessKeyId: accessKeyId,
    Principal: principal,
    CreateDate: timeText(creationDate),
    ...(session && { Expiration: timeText(session.expirationDate) }),
    ...(identityPolicy !== undefined && { IdentityPolicy: identityPolicy }),
  };
}

function readPolicy(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw cannotParse('--identity-policy', (error as Error).message);
  }
}

function readDuration(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw cannotParse('--duration-seconds', `'${text}' is not a number of seconds`);
}

function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
