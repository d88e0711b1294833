import type { Context, OwnOptions } from './context.ts';

/** A command that AWS's CLI does not have. It returns its exit code. */
export interface OwnCommand {
  readonly summary: string;
  readonly description: string;
  readonly options: readonly OwnOption[];
  readonly load: () => Promise<{ run: RunCommand }>;
}

export type RunCommand = (
  given: ReadonlyMap<string, string>,
  own: OwnOptions,
  context: Context,
) => Promise<number>;

export interface OwnOption {
  readonly name: string;
  readonly value: string;
  readonly explanation: string;
}

export const sharedOptions = [
  {
    name: '--store',
    value: 'URL',
    explanation: 'the store: lmdb:FOLDER, or memory: for one that lasts as long as the command',
  },
  {
    name: '--root-key-file',
    value: 'FILE',
    explanation: "the file with the store's root key, readable by its owner only",
  },
] as const satisfies readonly OwnOption[];

/** Loaded one by one, for starting the program must not take longer with every command. */
export const ownCommands: Readonly<Record<string, OwnCommand>> = {
  doctor: {
    summary: 'show what runs here and what would be faster or safer',
    description:
      'Looks at the native addon, Node.js, OpenSSL, the store and its root key. Changes nothing. ' +
      'The exit code is 1 if something is broken.',
    options: [],
    load: () => import('./commands/doctor.ts'),
  },
  init: {
    summary: 'make a store',
    description:
      'Makes a store and its root key. Without this command, the first operation makes the ' +
      'default store. A store that exists is left as it is. Prints where everything is.',
    options: [
      { name: '--region', value: 'REGION', explanation: 'used in ARNs; us-east-1 by default' },
      {
        name: '--account-id',
        value: 'DIGITS',
        explanation: '12 digits, used in ARNs; 000000000000 by default',
      },
    ],
    load: () => import('./commands/init.ts'),
  },
};
