import type { OpenOptions, Pairmint } from '../service/pairmint.ts';

export interface TextSink {
  write(text: string): void;
  /** Whether people look at it. */
  readonly isTerminal?: boolean;
  /** How wide the terminal is. */
  readonly columns?: number | undefined;
  /** Whether a pager shows it to them. */
  readonly isPager?: boolean;
  /** Waits until everything is written; false if that failed or the reader is gone. */
  drained?(): Promise<boolean>;
}

/** Where questions are asked: not on stdout, which may be a pipe. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** The part of class Pairmint that the command line uses. */
export type Service = Pick<
  Pairmint,
  | 'as'
  | 'batches'
  | 'call'
  | 'capabilities'
  | 'checkStore'
  | 'close'
  | 'credentials'
  | 'describeStore'
  | 'figures'
  | 'inRegion'
  | 'load'
  | 'lockWaits'
  | 'mintDataKeyPairs'
  | 'pools'
  | 'principal'
  | 'store'
>;

/** Makes the requests of operations: the local store or a server. */
export type Calls = Pick<Service, 'call' | 'close'>;

/** The world outside, as the program is given it. */
export interface Context {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly env: NodeJS.ProcessEnv;
  /** Opens the service. Nothing native is loaded before it is called. */
  readonly open: (options: OpenOptions) => Promise<Service>;
}

/** The options that every command understands. */
export interface OwnOptions {
  readonly store?: string;
  readonly rootKeyFile?: string;
}

/** Runs one of our own commands. Returns the exit code. */
export type RunCommand = (
  given: ReadonlyMap<string, string>,
  own: OwnOptions,
  context: Context,
  operands: readonly string[],
) => Promise<number>;

/** Opens the service, lets `use` work with it and closes it, whatever happens. */
export async function withService<T>(
  context: Context,
  options: OpenOptions,
  use: (service: Service) => Promise<T>,
): Promise<T> {
  const onNotice = (message: string) => context.stderr.write(`pairmint: ${message}\n`);
  const service = await context.open({ onNotice, ...options });
  try {
    return await use(service);
  } finally {
    await service.close();
  }
}

export function openOptions({ store, rootKeyFile }: OwnOptions): OpenOptions {
  return {
    ...(store !== undefined && { store }),
    ...(rootKeyFile !== undefined && { rootKey: { file: rootKeyFile } }),
  };
}

/** The options for a command that is over in a moment: it leaves filling pools to others. */
export function oneShot(own: OwnOptions): OpenOptions {
  return { ...openOptions(own), refillPools: false };
}
