import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { compilePattern } from '../../lib/model/constraints.ts';
import { kmsErrors } from '../../lib/model/errors.ts';
import type { Shape } from '../../lib/model/shape.ts';
import { operationShapes, shapes } from '../../lib/model/shapes.ts';

const folder = new URL('../../lib/model/', import.meta.url);
const model = JSON.parse(readFileSync(new URL('service-2.json', folder), 'utf8'));

test('the generated files are what the generator writes today', () => {
  const script = fileURLToPath(new URL('generate.mjs', folder));
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test('every operation of the model is there, with its input, output and errors', () => {
  expect(Object.keys(operationShapes)).toEqual(Object.keys(model.operations));
  for (const [name, { input, output, errors }] of Object.entries(operationShapes)) {
    const published = model.operations[name];
    expect(input).toBe(published.input.shape);
    expect(output).toBe(published.output?.shape);
    expect(errors).toEqual(published.errors.map(({ shape }: { shape: string }) => shape));
  }
});

test('every exception of the model is in the table of errors', () => {
  const exceptions = Object.entries<{ exception?: boolean }>(model.shapes)
    .filter(([, { exception }]) => exception)
    .map(([name]) => name);
  expect(exceptions).toHaveLength(48);
  expect(Object.keys(kmsErrors)).toEqual(expect.arrayContaining(exceptions));
});

test('structure members keep the order of the model', () => {
  for (const [name, shape] of Object.entries(shapes)) {
    if (shape.type !== 'structure') continue;
    expect(Object.keys(shape.members), name).toEqual(Object.keys(model.shapes[name].members));
    for (const member of shape.required ?? []) expect(shape.members).toHaveProperty(member);
  }
});

test('every shape that a shape refers to is there', () => {
  for (const shape of Object.values(shapes)) {
    for (const name of references(shape)) expect(shapes).toHaveProperty(name);
  }
});

test('every pattern of the model compiles', () => {
  const patterns = Object.values(shapes).flatMap((shape) =>
    shape.type === 'string' && shape.pattern !== undefined ? [shape.pattern] : [],
  );
  expect(patterns.length).toBeGreaterThan(10);
  for (const pattern of patterns) expect(() => compilePattern(pattern)).not.toThrow();
});

test('patterns match whole texts, with the spaces that Java knows', () => {
  expect(compilePattern('[0-9]{2}').test('12')).toBe(true);
  expect(compilePattern('[0-9]{2}').test('123')).toBe(false);
  expect(compilePattern('[0-9]{2}').test('12\n')).toBe(false);
  expect(compilePattern('^[a-z\\s]+$').test('a b\t\n')).toBe(true);
  expect(compilePattern('^[a-z\\s]+$').test('a\u00a0b')).toBe(false);
});

function references(shape: Shape): string[] {
  if (shape.type === 'structure') return Object.values(shape.members);
  if (shape.type === 'list') return [shape.member];
  return shape.type === 'map' ? [shape.key, shape.value] : [];
}
