import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { otherDoors, rooms } from './rooms.ts';

const root = path.resolve(import.meta.dirname, '../..');
const base = 'lib/cli';
const order = Object.keys(rooms);

const files = readdirSync(path.join(root, base), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => path.join(base, file));

const imports = files.flatMap((from) => {
  const text = readFileSync(path.join(root, from), 'utf8');
  // Types and dynamic imports count.
  return Array.from(text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g), ([, target = '']) => ({
    from,
    to: path.join(path.dirname(from), target),
  }));
});

function roomOf(file: string): string {
  return path.relative(base, file).split(path.sep)[0] ?? '';
}

it('every file of the command line is in a room of the table, and no room is empty', () => {
  expect(imports.length).toBeGreaterThan(200);
  expect(new Set(files.map(roomOf))).toEqual(new Set(order));
});

it('no room imports from a room above it', () => {
  const upward = imports.filter(
    ({ from, to }) =>
      to.startsWith(`${base}/`) && order.indexOf(roomOf(from)) < order.indexOf(roomOf(to)),
  );
  expect(upward).toEqual([]);
});

it('no files import each other in a circle', () => {
  const left = new Map(files.map((file) => [file, new Set<string>()]));
  for (const { from, to } of imports) if (left.has(to)) left.get(from)?.add(to);
  for (let size = -1; size !== left.size; ) {
    size = left.size;
    for (const [file, targets] of left) if (targets.size === 0) left.delete(file);
    for (const targets of left.values())
      for (const to of targets) if (!left.has(to)) targets.delete(to);
  }
  expect([...left.keys()]).toEqual([]);
});

it('the command line reaches the service, the model and the core, and past them nothing else', () => {
  const isDoor = (to: string) =>
    /^lib\/(?:cli|service|model|core)\//.test(to) || otherDoors.includes(to);
  expect(imports.filter(({ to }) => !isDoor(to))).toEqual([]);
});
