import type { OperationName } from '../model/shapes.ts';
import { createAlias, deleteAlias, updateAlias } from './aliases.ts';
import { createKey } from './create-key.ts';
import { decrypt } from './decrypt.ts';
import { describeKey } from './describe-key.ts';
import { disableKey, enableKey } from './enable-key.ts';
import { encrypt } from './encrypt.ts';
import { generateDataKey, generateDataKeyWithoutPlaintext } from './generate-data-key.ts';
import {
  generateDataKeyPair,
  generateDataKeyPairWithoutPlaintext,
} from './generate-data-key-pair.ts';
import { generateRandom } from './generate-random.ts';
import { cancelKeyDeletion, scheduleKeyDeletion } from './key-deletion.ts';
import { listAliases } from './list-aliases.ts';
import { listKeys } from './list-keys.ts';
import type { Operation } from './operation.ts';
import { reEncrypt } from './re-encrypt.ts';

/** Every operation that is offered, by the name that AWS gives it. */
export const operations = {
  CancelKeyDeletion: cancelKeyDeletion,
  CreateAlias: createAlias,
  CreateKey: createKey,
  Decrypt: decrypt,
  DeleteAlias: deleteAlias,
  DescribeKey: describeKey,
  DisableKey: disableKey,
  EnableKey: enableKey,
  Encrypt: encrypt,
  GenerateDataKey: generateDataKey,
  GenerateDataKeyPair: generateDataKeyPair,
  GenerateDataKeyPairWithoutPlaintext: generateDataKeyPairWithoutPlaintext,
  GenerateDataKeyWithoutPlaintext: generateDataKeyWithoutPlaintext,
  GenerateRandom: generateRandom,
  ListAliases: listAliases,
  ListKeys: listKeys,
  ReEncrypt: reEncrypt,
  ScheduleKeyDeletion: scheduleKeyDeletion,
  UpdateAlias: updateAlias,
} satisfies { readonly [O in OperationName]?: Operation<O> };

export type OfferedOperation = keyof typeof operations;

/** Tells whether an operation is offered; inherited property names are none. */
export function isOffered(name: string): name is OfferedOperation {
  return Object.hasOwn(operations, name);
}
