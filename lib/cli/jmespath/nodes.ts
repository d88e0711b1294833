import { GeneralError } from '../errors.ts';
import { Dictionary, type Value } from '../python/value.ts';
import { type Comparator, compare, isFalse } from './comparisons.ts';
import { type Argument, callFunction } from './functions.ts';

export type Evaluate = (value: Value) => Value;

/** A part of an expression. The grammar and some functions ask for its kind. */
export type Node =
  | { readonly kind: 'other' | 'indexed'; readonly evaluate: Evaluate }
  | { readonly kind: 'field'; readonly name: string; readonly evaluate: Evaluate }
  | { readonly kind: 'reference'; readonly target: Evaluate; readonly evaluate: Evaluate };

export const current: Node = other((value) => value);

export function literal(value: Value): Node {
  return other(() => value);
}

export function field(name: string): Node {
  const evaluate = (value: Value) =>
    value instanceof Dictionary ? (value.get(name) ?? null) : null;
  return { kind: 'field', name, evaluate };
}

/** An expression that a function applies by itself. It is nothing anywhere else. */
export function reference({ evaluate: target }: Node): Node {
  return { kind: 'reference', target, evaluate: () => null };
}

export function chain(first: Node, then: Node): Node {
  return other((value) => then.evaluate(first.evaluate(value)));
}

export function indexed(list: Node, by: Node): Node {
  return { ...chain(list, by), kind: 'indexed' } as Node;
}

export function index(position: bigint): Node {
  return other((value) => (Array.isArray(value) ? (value.at(Number(position)) ?? null) : null));
}

export function slice([start, end, step = 1n]: readonly (bigint | undefined)[]): Node {
  return other((value) => {
    if (!Array.isArray(value)) return null;
    if (step === 0n) throw new GeneralError('slice step cannot be zero');
    return sliceOf(value, start, end, Number(step));
  });
}

/** Slices as Python does: bounds are cut to the list, and a step below zero walks backwards. */
function sliceOf(
  list: readonly Value[],
  start: bigint | undefined,
  end: bigint | undefined,
  step: number,
): Value[] {
  const [lowest, highest] = step > 0 ? [0, list.length] : [-1, list.length - 1];
  const within = (given: bigint | undefined, otherwise: number) => {
    if (given === undefined) return otherwise;
    const position = Number(given) + (given < 0n ? list.length : 0);
    return Math.min(Math.max(position, lowest), highest);
  };
  const first = within(start, step > 0 ? lowest : highest);
  const last = within(end, step > 0 ? highest : lowest);
  const out: Value[] = [];
  for (let i = first; step > 0 ? i < last : i > last; i += step) {
    out.push(list[i] as Value);
  }
  return out;
}

export function flatten(list: Node): Node {
  return other((value) => {
    const items = list.evaluate(value);
    return Array.isArray(items) ? items.flat() : null;
  });
}

export function projection(list: Node, each: Node): Node {
  return other((value) => {
    const items = list.evaluate(value);
    return Array.isArray(items) ? projected(items, each) : null;
  });
}

export function filterProjection(list: Node, condition: Node, each: Node): Node {
  return other((value) => {
    const items = list.evaluate(value);
    return Array.isArray(items)
      ? projected(
          items.filter((item) => !isFalse(condition.evaluate(item))),
          each,
        )
      : null;
  });
}

export function valueProjection(dictionary: Node, each: Node): Node {
  return other((value) => {
    const members = dictionary.evaluate(value);
    return members instanceof Dictionary ? projected([...members.values()], each) : null;
  });
}

/** Items that give null are left out. */
function projected(items: readonly Value[], { evaluate }: Node): Value[] {
  return items.map(evaluate).filter((item) => item !== null);
}

export function multiSelectList(items: readonly Node[]): Node {
  return other((value) => (value === null ? null : items.map((item) => item.evaluate(value))));
}

export function multiSelectHash(entries: readonly (readonly [string, Node])[]): Node {
  return other((value) =>
    value === null
      ? null
      : new Dictionary(entries.map(([key, member]) => [key, member.evaluate(value)])),
  );
}

export function or(left: Node, right: Node): Node {
  return other((value) => {
    const first = left.evaluate(value);
    return isFalse(first) ? right.evaluate(value) : first;
  });
}

export function and(left: Node, right: Node): Node {
  return other((value) => {
    const first = left.evaluate(value);
    return isFalse(first) ? first : right.evaluate(value);
  });
}

export function not(node: Node): Node {
  return other((value) => isFalse(node.evaluate(value)));
}

export function comparison(comparator: Comparator, left: Node, right: Node): Node {
  return other((value) => compare(comparator, left.evaluate(value), right.evaluate(value)));
}

export function call(name: string, args: readonly Node[]): Node {
  return other((value) =>
    callFunction(
      name,
      args.map((node): Argument => (node.kind === 'reference' ? node : node.evaluate(value))),
    ),
  );
}

function other(evaluate: Evaluate): Node {
  return { kind: 'other', evaluate };
}
