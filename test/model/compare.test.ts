import { readFileSync } from 'node:fs';
import * as client from '@aws-sdk/client-kms';
import { expect, test } from 'vitest';

const folder = new URL('../../lib/model/', import.meta.url);
const model = JSON.parse(readFileSync(new URL('service-2.json', folder), 'utf8'));
const { differences } = await import(new URL('compare.mjs', folder).href);

test('the model is that of the client that is installed', () => {
  expect(differences(model, client)).toEqual([]);
});

test('what only one of the two has is told: an operation, a member, a value, a demand', () => {
  const older = structuredClone(model);
  delete older.operations.Sign;
  older.operations.Forge = model.operations.Sign;
  delete older.shapes.GrantConstraints.members.SourceArn;
  older.shapes.KeySpec.enum.push('ROT_13');
  older.shapes.CreateGrantRequest.required.push('GranteePrincipal');
  expect(differences(older, client)).toEqual([
    'operations: new: Sign',
    'operations: gone: Forge',
    'CreateGrantRequest, required: gone: GranteePrincipal',
    'GrantConstraints: new: SourceArn',
    'KeySpec: gone: ROT_13',
  ]);
});
