import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { operationShapes } from '../../lib/model/shapes.ts';
import { operations } from '../../lib/operations/index.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { everyOperation, everyRequest, neverServed } from './every-request.ts';
import { openKms, outcomeOf } from './support.ts';

const text = readFileSync(new URL('../../docs/aws-parity.md', import.meta.url), 'utf8');

/** The rows of the table of operations: name, verdict, remark. */
const rows = [...text.matchAll(/^\| `(\w+)` \| ([a-z ]+) \| (.*)\|$/gm)].map(
  ([, name = '', verdict = '', remark = '']) => ({ name, verdict, remark: remark.trim() }),
);

const verdictOf = new Map(rows.map(({ name, verdict }) => [name, verdict]));

test('the table has every operation of AWS’s model, and there is code for each', () => {
  const names = rows.map(({ name }) => name);
  expect(names).toEqual(Object.keys(operationShapes));
  expect(Object.keys(operations)).toEqual(names);
});

test('what is not simply supported says how or why', () => {
  for (const { name, verdict, remark } of rows) {
    expect(['supported', 'different', 'not offered'], name).toContain(verdict);
    if (verdict !== 'supported') expect(remark, name).not.toBe('');
  }
});

describe('the table is right about what is offered', () => {
  let kms: Pairmint;

  beforeAll(async () => {
    kms = await openKms();
  });

  test.each(everyOperation)('%s', async (name) => {
    const outcome = await outcomeOf(kms.call(name, await everyRequest[name](kms)));
    if (verdictOf.get(name) === 'not offered') {
      expect(outcome).toMatch(new RegExp(`^${neverServed.get(name)}: (.* not offered: |$)`));
    } else expect(outcome).toBe('ok');
  });
});

test('the page explains the labels of evidence that it uses', () => {
  const [, legend = ''] = text.split('## Where our knowledge comes from');
  const explained = [...legend.matchAll(/^\| ([A-Z]+) \|/gm)].map(([, label]) => label);
  const used = [...text.matchAll(/\[([A-Z][^\]]*)\](?!\()/g)].flatMap(([, labels = '']) =>
    labels.split(', ').flatMap((label) => label.match(/^[A-Z]{2,}\b/) ?? []),
  );
  expect([...new Set(used)].sort()).toEqual(explained.sort());
});
