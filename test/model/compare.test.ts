import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as client from '@aws-sdk/client-kms';
import { expect, onTestFinished, test } from 'vitest';

const folder = new URL('../../lib/model/', import.meta.url);
const model = JSON.parse(readFileSync(new URL('service-2.json', folder), 'utf8'));
const { boundDifferences, differences } = await import(new URL('compare.mjs', folder).href);

test('the model is that of the client that is installed', () => {
  expect(differences(model, client)).toEqual([]);
});

test('an operation, member, value or requirement that only one of the two has is told', () => {
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

test('another bound, pattern or type of a shape is told, with both values', () => {
  const other = structuredClone(model);
  delete other.shapes.EncapsulateRequest;
  expect(boundDifferences(model, other)).toEqual([]);
  other.shapes.PlaintextType.max = 4097;
  delete other.shapes.LimitType.min;
  other.shapes.AliasNameType.pattern = '^alias/';
  other.shapes.CiphertextType.type = 'string';
  expect(boundDifferences(model, other)).toEqual([
    'AliasNameType, pattern: ^alias/ instead of ^[a-zA-Z0-9:/_-]+$',
    'CiphertextType, type: string instead of blob',
    'LimitType, min: undefined instead of 1',
    'PlaintextType, max: 4097 instead of 4096',
  ]);
});

test('compared with a file of the same form, the model must have its bounds', async () => {
  const script = fileURLToPath(new URL('compare.mjs', folder));
  const own = fileURLToPath(new URL('service-2.json', folder));
  const compare = (file: string) => promisify(execFile)(process.execPath, [script, file]);
  await expect(compare(own)).resolves.toMatchObject({ stderr: '' });
  const place = mkdtempSync(path.join(os.tmpdir(), 'pairmint-model-'));
  onTestFinished(() => rmSync(place, { recursive: true }));
  const other = path.join(place, 'service-2.json');
  writeFileSync(other, JSON.stringify({ shapes: { LimitType: { type: 'integer', min: 1 } } }));
  await expect(compare(other)).rejects.toMatchObject({
    code: 1,
    stderr: `${other} has another model than lib/model: LimitType, max: undefined instead of 1000\n`,
  });
});
