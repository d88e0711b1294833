import { usage } from '../../lib/cli/arguments/usage.ts';
import type { Context, Service } from '../../lib/cli/context.ts';
import { main } from '../../lib/cli/main.ts';

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  /** With the usage block and the program's name replaced, as in recorded/aws-cli.json. */
  readonly stderr: string;
  readonly calls: readonly { readonly operation: string; readonly request: object }[];
  readonly opened: readonly object[];
}

// The AWS CLI's files in a developer's home must not change a test.
const noEnvironment: NodeJS.ProcessEnv = {
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
};

export type Respond = (operation: string, request: object) => Promise<object>;

// The lists are there for the operations that must return them; others drop what they do not know.
const noResponse: Respond = async () => ({
  Aliases: [],
  CustomKeyStores: [],
  Grants: [],
  Keys: [],
  PolicyNames: [],
  Rotations: [],
  Tags: [],
});

/** Runs a command in this process on a service that answers with `respond`. */
export async function run(
  args: readonly string[],
  respond = noResponse,
  env: NodeJS.ProcessEnv = noEnvironment,
): Promise<Outcome> {
  const calls: { operation: string; request: object }[] = [];
  const opened: object[] = [];
  const service: Service = {
    as: notAsked,
    principal: 'arn:aws:iam::000000000000:root',
    checkStore: notAsked,
    inRegion: notAsked,
    mintDataKeyPairs: notAsked,
    load: notAsked,
    figures: notAsked,
    lockWaits: notAsked,
    get credentials() {
      return notAsked();
    },
    get pools() {
      return notAsked();
    },
    get batches() {
      return notAsked();
    },
    get store() {
      return {
        needsFence: false,
        lastBackup: async () => undefined,
        facts: async () => [],
      } as unknown as Service['store'];
    },
    call: (operation, request) => {
      calls.push({ operation, request: request as object });
      return respond(operation, request as object);
    },
    close: async () => {},
    capabilities: () => ({
      kernel: 'openssl',
      kernels: ['openssl'],
      kernelNames: ['portable', 'openssl'],
      kernelRefused: '',
      kernelSwitchedOff: '',
      curves: ['P-384'],
      curveKernels: { 'P-256': 'openssl', 'P-384': 'portable' },
      curvesSwitchedOff: '',
      threads: 2,
      cpu: 'a CPU',
      openssl: '3.0.0',
      node: '20.0.0',
      lockedMemory: true,
      mlDsa: false,
      ed25519ph: false,
    }),
    describeStore: () => ({
      url: 'memory:',
      rootKeyFile: undefined,
      region: 'us-east-1',
      accountId: '000000000000',
    }),
  };
  return capture(
    args,
    async (options) => {
      opened.push(options);
      return service;
    },
    { calls, opened },
    env,
  );
}

function notAsked(): never {
  throw new Error('no command here asks for this');
}

/** As `run`, where opening the service fails. */
export async function runWithout(args: readonly string[], failure: unknown): Promise<Outcome> {
  return capture(args, () => Promise.reject(failure), { calls: [], opened: [] });
}

/** Runs a command in this process with a service that `open` gives. */
export async function capture(
  args: readonly string[],
  open: Context['open'],
  seen: Pick<Outcome, 'calls' | 'opened'> = { calls: [], opened: [] },
  env = noEnvironment,
): Promise<Outcome> {
  const written = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text;
    },
  });
  const sinks = { stdout: sink('stdout'), stderr: sink('stderr') };
  const exitCode = await main(args, { ...sinks, env, open });
  const stderr = written.stderr
    .replace(usage, '<usage>\n')
    .replace('pairmint: error:', '<program>: error:');
  return { exitCode, stdout: written.stdout, stderr, ...seen };
}

/**
 * Runs a command in this process that must not need a store. AWS's SDK reads the environment of the
 * process, so that is `env` meanwhile.
 */
export async function runRemote(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  const before = process.env;
  process.env = { ...env };
  try {
    return await capture(args, notAsked, { calls: [], opened: [] }, process.env);
  } finally {
    process.env = before;
  }
}
