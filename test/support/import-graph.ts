import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

/** File → the files it imports, both as paths from the root of the project. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

export interface Arrow {
  readonly from: string;
  readonly to: string;
}

export function sourceFiles(folder: string, extension: RegExp): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => extension.test(file))
    .map((file) => path.join(folder, file))
    .sort();
}

/** What TypeScript files import: types and dynamic imports too. */
export function typeScriptImports(folder: string): ImportGraph {
  const files = sourceFiles(folder, /\.ts$/);
  return new Map(
    files.map((file) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, true);
      const relative = importedFiles.filter(({ fileName }) => fileName.startsWith('.'));
      return [file, relative.map((to) => path.join(path.dirname(file), to.fileName))];
    }),
  );
}

/** What C++ files include, the standard library and OpenSSL left out, with `napi.h` as itself. */
export function nativeIncludes(folder: string): ImportGraph {
  const files = sourceFiles(folder, /\.(cc|h)$/);
  const ours = new Set(files);
  return new Map(
    files.map((file) => {
      const names = readFileSync(file, 'utf8').matchAll(/^#include ["<]([^">]+)[">]/gm);
      const targets = [...names].map(([, name = '']) =>
        name === 'napi.h' ? name : path.join(folder, name),
      );
      return [file, targets.filter((target) => target === 'napi.h' || ours.has(target))];
    }),
  );
}

export function arrowsOf(graph: ImportGraph): Arrow[] {
  return [...graph].flatMap(([from, targets]) => targets.map((to) => ({ from, to })));
}

/** Files that reach each other through imports, each such group once. */
export function circlesOf(graph: ImportGraph): string[][] {
  const reachable = new Map([...graph.keys()].map((file) => [file, reachableFrom(graph, file)]));
  const reaches = (from: string, to: string) => reachable.get(from)?.has(to) ?? false;
  const grouped = new Set<string>();
  const circles: string[][] = [];
  for (const file of graph.keys()) {
    if (grouped.has(file) || !reaches(file, file)) continue;
    const circle = [...graph.keys()].filter(
      (other) => reaches(file, other) && reaches(other, file),
    );
    for (const member of circle) grouped.add(member);
    circles.push(circle);
  }
  return circles;
}

function reachableFrom(graph: ImportGraph, start: string): Set<string> {
  const reached = new Set<string>();
  const next = [...(graph.get(start) ?? [])];
  for (let file = next.pop(); file !== undefined; file = next.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    next.push(...(graph.get(file) ?? []));
  }
  return reached;
}

/** Rooms by floor, the lowest first: the first column of a table in docs/architecture.md. */
export function floorsOf(document: string, heading: string): string[][] {
  const section = document.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  const cells = rows.slice(2).map((row) => row.split('|')[1] ?? '');
  return cells.map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, room = '']) => room));
}

/**
 * Arrows between rooms that do not lead to a lower floor. Rooms on one floor must not import each
 * other.
 *
 * @param roomOf the room of a file, or undefined when the rule does not concern it
 */
export function upwardArrows(
  graph: ImportGraph,
  { floors, roomOf }: { floors: string[][]; roomOf: (file: string) => string | undefined },
): Arrow[] {
  const level = (room: string) => floors.findIndex((rooms) => rooms.includes(room));
  return arrowsOf(graph).filter(({ from, to }) => {
    const [room, target] = [roomOf(from), roomOf(to)];
    return (
      room !== undefined && target !== undefined && room !== target && level(room) <= level(target)
    );
  });
}
