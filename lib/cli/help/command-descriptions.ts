import { type Operand, type OwnOption, sharedOptions } from '../arguments/own-options.ts';

export interface CommandDescription {
  readonly summary: string;
  readonly description: string;
  readonly options: readonly OwnOption[];
  /** Whether it has no use for `--store` and its like. */
  readonly isStoreless?: true;
  /** The words that may follow the command's name, in this order. */
  readonly operands?: readonly Operand[];
  /** What to write after the command's name. */
  readonly examples: readonly string[];
}

const metricsOptions = [
  {
    name: '--metrics-port',
    value: 'PORT',
    explanation: 'serve GET /metrics for Prometheus there; 0 picks a free one',
  },
  {
    name: '--metrics-host',
    value: 'HOST',
    explanation: 'the address of metrics; 127.0.0.1 by default',
  },
  {
    name: '--metrics-names',
    value: 'NAMES',
    explanation: 'names besides addresses that metrics may be asked for by, with commas',
  },
] as const;

const contextOption = {
  name: '--encryption-context',
  value: 'MAP',
  explanation: 'what all private keys are bound to: k=v,k2=v2 or JSON',
} as const satisfies OwnOption;

const poolOptions = [
  { name: '--key-id', value: 'ID', explanation: 'the KMS key: its id, ARN, alias or alias ARN' },
  { name: '--key-pair-spec', value: 'SPEC', explanation: 'what kind of pairs, such as RSA_4096' },
] as const satisfies readonly OwnOption[];

/** The commands that AWS's CLI does not have. */
export const commandDescriptions = {
  batch: {
    summary: 'have workers mint many pairs into the store',
    description:
      '`submit` makes a batch, prints its BatchId, and is done: all processes of `pairmint worker` on ' +
      'the store mint it together, as who submitted it. `status` shows how far it is, of all batches ' +
      'if none is named; with --watch until they are done. `export` writes the lines that pregenerate ' +
      'would, in an order that never changes; run again, it goes on where it stopped. `cancel` stops ' +
      'a batch for good: what is minted can still be exported. `delete` removes one that is done or ' +
      'cancelled, with its pairs.',
    operands: [['submit', 'status', 'list', 'cancel', 'export', 'delete'], 'BATCH_ID'],
    options: [
      ...poolOptions,
      { name: '--count', value: 'N', explanation: 'how many pairs: 1 to 100,000,000' },
      {
        name: '--chunk',
        value: 'N',
        explanation: 'how many a worker stores together; by default 50 RSA pairs or 2,000 others',
      },
      contextOption,
      { name: '--watch', explanation: 'show the progress until nothing is left to mint' },
      { name: '--out', value: 'FILE', explanation: 'made with mode 0600; stdout by default' },
    ],
    examples: [
      'submit --key-id alias/pairmint/default --key-pair-spec RSA_4096 --count 100000',
      'status --watch',
      'export 1f0e5a3c-9d1b-4c6e-8f5a-2b7d4e6f8a90 --out pairs.jsonl',
    ],
  },
  credentials: {
    summary: 'make, list and delete access keys for the server',
    description:
      'An access key lets a client of `pairmint serve` sign requests that are made as a principal. ' +
      '`create` prints it; the secret is sealed in the store and shown this once. `list` prints ' +
      'all keys without it. `delete` takes the id of one, which is refused from then on.',
    operands: [['create', 'list', 'delete'], 'ACCESS_KEY_ID'],
    options: [
      {
        name: '--principal',
        value: 'ARN',
        explanation: 'the user, role, session or root that requests are made as',
      },
      {
        name: '--identity-policy',
        value: 'FILE',
        explanation: "the principal's own policy; without one it may do anything in its account",
      },
      {
        name: '--duration-seconds',
        value: 'N',
        explanation: 'makes a session: a key with a session token that ends so soon',
      },
    ],
    examples: [
      'create --principal arn:aws:iam::000000000000:role/billing',
      'list',
      'delete AKIAIOSFODNN7EXAMPLE',
    ],
  },
  completion: {
    summary: 'print what makes a shell complete command lines',
    description:
      'Prints a script for the shell that is named, which then completes operations, options and ' +
      'their values. The examples put it where the shell finds it when it starts; open a new one ' +
      'to have it. Other names are completed, too, if they are aliases of pairmint; in bash, ' +
      'make them above the script.',
    operands: [['bash', 'zsh', 'fish']],
    options: [],
    isStoreless: true,
    examples: ['bash >> ~/.bashrc', 'zsh >> ~/.zshrc', 'fish >> ~/.config/fish/config.fish'],
  },
  doctor: {
    summary: 'show what runs here and what would be faster or safer',
    description:
      'Looks at the native addon, Node.js, OpenSSL, the store and its root key. Changes nothing. ' +
      'The exit code is 1 if something is broken.',
    options: [],
    examples: [''],
  },
  init: {
    summary: 'make a store',
    description:
      'Makes a store and its root key. Without this command, the first operation makes the ' +
      'default store; a store on PostgreSQL is made by this command alone, on one machine. A store that exists is left as it is, but for what a seed adds to it: keys ' +
      'with given ids, material, policies, tags, aliases and grants. Running it again changes ' +
      'nothing. Prints where everything is.',
    options: [
      { name: '--region', value: 'REGION', explanation: 'used in ARNs; us-east-1 by default' },
      {
        name: '--account-id',
        value: 'DIGITS',
        explanation: '12 digits, used in ARNs; 000000000000 by default',
      },
      {
        name: '--seed',
        value: 'FILE',
        explanation: "keys that must exist, in YAML or JSON; local-kms's format works, too",
      },
    ],
    examples: [
      '--store sqlite:/var/lib/pairmint/store.db --root-key-file /etc/pairmint/root.key',
      '--region eu-central-1 --account-id 111122223333',
    ],
  },
  serve: {
    summary: 'serve AWS clients over HTTP',
    description:
      "Speaks AWS KMS's protocol: point a client's endpoint URL here. Requests must be signed with " +
      'an access key of `pairmint credentials`. SIGTERM or SIGINT ends it when the requests under ' +
      'way are answered, a second one at once; SIGHUP reads the certificate again. Logs are lines ' +
      'of JSON on stderr.',
    options: [
      { name: '--host', value: 'HOST', explanation: 'the address; 127.0.0.1 by default' },
      { name: '--port', value: 'PORT', explanation: '4599 by default; 0 picks a free one' },
      {
        name: '--no-auth',
        explanation: "requests need no signature and are the account's root's; loopback only",
      },
      { name: '--tls-cert', value: 'FILE', explanation: 'serve HTTPS with this certificate (PEM)' },
      { name: '--tls-key', value: 'FILE', explanation: "the certificate's private key (PEM)" },
      {
        name: '--region',
        value: 'REGION',
        explanation: 'serve this one alone; by default, the one that each request is signed for',
      },
      {
        name: '--trusted-proxy',
        value: 'ADDRESSES',
        explanation:
          'of proxies (or CIDR, comma-separated) whose X-Forwarded-For and -Proto tell the client',
      },
      {
        name: '--workers',
        value: 'N',
        explanation: 'how many processes serve, sharing the store; auto is one for each core',
      },
      {
        name: '--quota-profile',
        value: 'aws',
        explanation: "keep AWS's quotas of requests per second, for tests of clients",
      },
      ...metricsOptions,
      {
        name: '--max-connections',
        value: 'N',
        explanation: 'how many clients may be connected to a process; 4096 by default',
      },
      {
        name: '--max-body-bytes',
        value: 'N',
        explanation: 'how much of unfinished requests a process keeps; 67108864 by default',
      },
      {
        name: '--log-level',
        value: 'LEVEL',
        explanation: 'trace, debug, info (the default), warn, error, fatal or silent',
      },
    ],
    examples: [
      '',
      '--no-auth --port 0',
      '--workers auto --metrics-port 9464',
      '--host 0.0.0.0 --tls-cert server.pem --tls-key server.key',
    ],
  },
  store: {
    summary: 'back up, restore, check, fence, migrate and copy the store',
    description:
      '`backup` writes all keys, aliases, grants, credentials and pools to a new file, while others ' +
      'go on working; pairs that wait and the root key are not in it. `restore` puts such a file in ' +
      'the place of the store, if it is sound and of the same root key. `check` looks at every ' +
      'record, prints what is wrong, and exits with 1 if anything is. `fence` says that a store that ' +
      'was copied or put back by other means is the one to go on with: pairs that waited in its ' +
      'pools are void, for they may have been answered elsewhere. `migrate` makes the tables of a ' +
      'store on PostgreSQL, or brings them up to date, as the role that `--store` names; PostgreSQL ' +
      'itself backs up and restores such a store. `copy` moves all that a store has to one that is not ' +
      'there yet, of any kind and under the same root key: the old one is refused by all processes from ' +
      'the beginning, the new one can be used at the end. If it was interrupted, run it again, or ' +
      '`fence` the old store to go on with that.',
    operands: [['backup', 'restore', 'check', 'fence', 'migrate', 'copy'], 'FILE'],
    options: [
      { name: '--from', value: 'URL', explanation: 'the store to copy, instead of --store' },
      { name: '--to', value: 'URL', explanation: 'the store that takes its place' },
    ],
    examples: [
      'backup /var/backups/pairmint.db',
      'restore /var/backups/pairmint.db',
      'check',
      'fence',
      'migrate --store postgres://owner@db.example/pairmint',
      'copy --from sqlite:/var/lib/pairmint/store.db --to postgres://app@db.example/pairmint',
    ],
  },
  pool: {
    summary: 'make, list, fill, drain and delete pools of pairs that wait for requests',
    description:
      'A request for a pair is answered from the pool of its key and spec without minting. ' +
      '`create` makes a pool, or changes its levels. `fill` mints until it has its target, in all ' +
      'pools if none is named. `drain` removes the pairs that wait; `delete` removes the pool, ' +
      'too. `list` shows them all.',
    operands: [['create', 'list', 'fill', 'drain', 'delete']],
    options: [
      ...poolOptions,
      { name: '--target', value: 'N', explanation: 'how many pairs a full pool holds' },
      {
        name: '--low',
        value: 'N',
        explanation: 'at how many it is filled again; half the target by default',
      },
    ],
    examples: [
      'create --key-id alias/pairmint/default --key-pair-spec RSA_4096 --target 100',
      'fill',
      'list',
    ],
  },
  pregenerate: {
    summary: 'mint many pairs into a file',
    description:
      'Mints pairs as generate-data-key-pair-without-plaintext does and writes one JSON response ' +
      'a line. Interrupted, or killed, and run again with the same arguments, it goes on where it ' +
      'stopped; what request the file belongs to is kept beside it, in FILE.state.',
    options: [
      ...poolOptions,
      { name: '--count', value: 'N', explanation: 'how many pairs the file gets' },
      contextOption,
      { name: '--out', value: 'FILE', explanation: 'made with mode 0600; stdout by default' },
    ],
    examples: [
      '--key-id alias/pairmint/default --key-pair-spec RSA_2048 --count 1000 --out pairs.jsonl',
    ],
  },
  worker: {
    summary: 'keep all pools of the store at their targets, and work on its batches',
    description:
      'Mints on all cores whenever a pool of the store has less than its target or a batch has ' +
      'pairs to mint, until SIGTERM or SIGINT. What cannot be minted, such as the pool of a disabled ' +
      'key, is tried again less and less often. Any number of workers may run.',
    options: [
      { name: '--pools', explanation: 'fill pools alone' },
      { name: '--batches', explanation: 'work on batches alone' },
      ...metricsOptions,
    ],
    examples: ['', '--batches --metrics-port 9464'],
  },
} as const satisfies Readonly<Record<string, CommandDescription>>;

/** The commands of AWS's CLI that are not of KMS, and are here because scripts begin with them. */
export const awsCommandDescriptions = {
  configure: {
    summary: "read and write the AWS CLI's files of settings",
    description:
      'As the AWS CLI does, in the files and the profile that it uses: `list` shows the settings in ' +
      'force and where they come from, `get` prints one, `set` writes one.',
    operands: [['list', 'get', 'set'], 'VARNAME', 'VALUE'],
    options: [],
    isStoreless: true,
    examples: ['list', 'get region', 'set region eu-central-1'],
  },
  sts: {
    summary: 'say who requests are made as',
    description:
      "`get-caller-identity` prints the ARN, account and id of the caller: the store's, or that of " +
      'the access key if there is an endpoint URL.',
    operands: [['get-caller-identity']],
    options: [],
    examples: ['get-caller-identity'],
  },
} as const satisfies Readonly<Record<string, CommandDescription>>;

type Described = typeof commandDescriptions & typeof awsCommandDescriptions;

/** The words of which one comes first behind the command's name, as its description lists them. */
export type ActionOf<Command extends keyof Described> = Described[Command] extends {
  readonly operands: readonly [readonly (infer Word extends string)[], ...unknown[]];
}
  ? Word
  : never;

export type OwnCommandName = keyof typeof commandDescriptions;

/** All commands that are no operations. */
export const allCommandDescriptions: Readonly<Record<string, CommandDescription>> = {
  ...commandDescriptions,
  ...awsCommandDescriptions,
};

/** All options of a command, its own first. */
export function optionsOf({ options, isStoreless }: CommandDescription): readonly OwnOption[] {
  return isStoreless === true ? options : [...options, ...sharedOptions];
}
