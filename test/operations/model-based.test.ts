import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { openKms, outcomeOf } from './support.ts';

// Random sequences of requests against the service and against a model of a few lines; after each
// request both must tell the same.

type State = 'Enabled' | 'Disabled' | 'PendingDeletion';

interface Model {
  /** By their place in the order of creation. */
  readonly keys: State[];
  /** From alias to the place of its key. */
  readonly aliases: Map<string, number>;
}

interface Real {
  readonly kms: Pairmint;
  readonly ids: string[];
  readonly blobs: Uint8Array[];
}

type Command = fc.AsyncCommand<Model, Real>;

const aliasNames = ['alias/a', 'alias/b', 'alias/c', 'alias/C'];

class Request implements Command {
  readonly title: string;
  readonly expected: (model: Model) => string;
  readonly send: (real: Real) => Promise<unknown>;

  constructor(
    title: string,
    expected: (model: Model) => string,
    send: (real: Real) => Promise<unknown>,
  ) {
    this.title = title;
    this.expected = expected;
    this.send = send;
  }

  check({ keys }: Model): boolean {
    return keys.length > 0 || this.title.startsWith('CreateKey');
  }

  /** `expected` changes the model and says how the request ends, by its exception's name. */
  async run(model: Model, real: Real): Promise<void> {
    const expected = this.expected(model);
    const outcome = await outcomeOf(this.send(real));
    expect(outcome.split(':')[0]).toBe(expected);
    await expectSame(model, real);
  }

  toString(): string {
    return this.title;
  }
}

async function expectSame({ keys, aliases }: Model, { kms, ids }: Real): Promise<void> {
  const states: (string | undefined)[] = [];
  for (const KeyId of ids) states.push((await kms.describeKey({ KeyId })).KeyMetadata?.KeyState);
  expect(states).toEqual(keys);
  const listed = (await kms.listKeys({})).Keys?.map(({ KeyId }) => KeyId);
  expect(listed).toEqual([...ids].sort());
  const { Aliases = [] } = await kms.listAliases({});
  expect(Aliases.map(({ AliasName, TargetKeyId }) => [AliasName, TargetKeyId])).toEqual(
    [...aliases].map(([name, key]) => [name, ids[key]]).sort(),
  );
}

/** The place among the keys there are. */
const at = <T>(list: readonly T[], key: number) => key % list.length;

const createKey = () =>
  new Request(
    'CreateKey',
    ({ keys }) => {
      keys.push('Enabled');
      return 'ok';
    },
    async ({ kms, ids, blobs }) => {
      const KeyId = (await kms.createKey({})).KeyMetadata?.KeyId ?? '';
      ids.push(KeyId);
      const sealed = await kms.encrypt({ KeyId, Plaintext: new Uint8Array(1) });
      blobs.push(sealed.CiphertextBlob ?? new Uint8Array());
    },
  );

/** A request about one key: the states that allow it, and the state after it. */
function onKey(
  operation: string,
  transitions: Partial<Record<State, State>>,
  request: (real: Real, place: number) => object,
  refusals: Partial<Record<State, string>> = {},
) {
  return (key: number) =>
    new Request(
      `${operation}(${key})`,
      ({ keys }) => {
        const state = keys[at(keys, key)] as State;
        const next = transitions[state];
        if (next === undefined) return refusals[state] ?? 'KMSInvalidStateException';
        keys[at(keys, key)] = next;
        return 'ok';
      },
      (real) => real.kms.call(operation, request(real, at(real.ids, key))),
    );
}

const ofKey = ({ ids }: Real, place: number) => ({ KeyId: ids[place] });
const enabled = { Enabled: 'Enabled' } as const;
const ifDisabled = { Disabled: 'DisabledException' };

const keyRequests = [
  onKey('EnableKey', { Enabled: 'Enabled', Disabled: 'Enabled' }, ofKey),
  onKey('DisableKey', { Enabled: 'Disabled', Disabled: 'Disabled' }, ofKey),
  onKey('ScheduleKeyDeletion', { Enabled: 'PendingDeletion', Disabled: 'PendingDeletion' }, ofKey),
  onKey('CancelKeyDeletion', { PendingDeletion: 'Disabled' }, ofKey),
  // What the key sealed before opens all the same, which Decrypt shows.
  onKey('RotateKeyOnDemand', enabled, ofKey, ifDisabled),
  onKey('Decrypt', enabled, ({ blobs }, i) => ({ CiphertextBlob: blobs[i] }), ifDisabled),
  onKey(
    'GenerateDataKey',
    enabled,
    ({ ids }, i) => ({ KeyId: ids[i], KeySpec: 'AES_128' }),
    ifDisabled,
  ),
];

const createAlias = (AliasName: string, key: number) =>
  new Request(
    `CreateAlias(${AliasName}, ${key})`,
    ({ keys, aliases }) => {
      const target = at(keys, key);
      if (aliases.has(AliasName)) return 'AlreadyExistsException';
      if (keys[target] === 'PendingDeletion') return 'KMSInvalidStateException';
      aliases.set(AliasName, target);
      return 'ok';
    },
    ({ kms, ids }) => kms.createAlias({ AliasName, TargetKeyId: ids[at(ids, key)] ?? '' }),
  );

const updateAlias = (AliasName: string, key: number) =>
  new Request(
    `UpdateAlias(${AliasName}, ${key})`,
    ({ keys, aliases }) => {
      const target = at(keys, key);
      if (!aliases.has(AliasName)) return 'NotFoundException';
      if (keys[target] === 'PendingDeletion') return 'KMSInvalidStateException';
      aliases.set(AliasName, target);
      return 'ok';
    },
    ({ kms, ids }) => kms.updateAlias({ AliasName, TargetKeyId: ids[at(ids, key)] ?? '' }),
  );

const deleteAlias = (AliasName: string) =>
  new Request(
    `DeleteAlias(${AliasName})`,
    ({ aliases }) => (aliases.delete(AliasName) ? 'ok' : 'NotFoundException'),
    ({ kms }) => kms.deleteAlias({ AliasName }),
  );

const encrypt = (KeyId: string) =>
  new Request(
    `Encrypt(${KeyId})`,
    ({ keys, aliases }) => {
      const target = aliases.get(KeyId);
      if (target === undefined) return 'NotFoundException';
      if (keys[target] === 'Enabled') return 'ok';
      return keys[target] === 'Disabled' ? 'DisabledException' : 'KMSInvalidStateException';
    },
    ({ kms }) => kms.encrypt({ KeyId, Plaintext: new Uint8Array(1) }),
  );

const name = fc.constantFrom(...aliasNames);
const key = fc.nat({ max: 4 });

test('any sequence of requests leaves keys and aliases as a simple model has them', async () => {
  const commands = fc.commands(
    [
      fc.constant(undefined).map(createKey),
      ...keyRequests.map((request) => key.map(request)),
      fc.tuple(name, key).map(([alias, target]) => createAlias(alias, target)),
      fc.tuple(name, key).map(([alias, target]) => updateAlias(alias, target)),
      name.map(deleteAlias),
      name.map(encrypt),
    ],
    { maxCommands: 30, size: 'max' },
  );
  await fc.assert(
    fc.asyncProperty(commands, async (sequence) => {
      const kms = await openKms();
      const setup = () => ({
        model: { keys: [], aliases: new Map() } as Model,
        real: { kms, ids: [], blobs: [] } as Real,
      });
      await fc.asyncModelRun(setup, sequence);
      await kms.close();
    }),
    { numRuns: 40 },
  );
});
