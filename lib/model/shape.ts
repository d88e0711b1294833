import type { KmsErrorName } from './errors.ts';
import type { ShapeName } from './shape-names.ts';

/** A set of named members. `required` names those whose absence the service complains about. */
export interface StructureShape {
  readonly type: 'structure';
  readonly required?: readonly string[];
  readonly members: Readonly<Record<string, ShapeName>>;
  /** It narrows a permission, so that a member that is not understood is refused, not dropped. */
  readonly limits?: true;
}

/** Bounds count elements. */
export interface ListShape {
  readonly type: 'list';
  readonly min?: number;
  readonly max?: number;
  readonly member: ShapeName;
}

export interface MapShape {
  readonly type: 'map';
  readonly key: ShapeName;
  readonly value: ShapeName;
}

/**
 * Bounds count UTF-16 units. `pattern` is a Java expression that must match the whole text. `listed`
 * names the shape whose values a complaint lists, if the service lists another shape's. `unlisted`
 * are values that the service's own checks refuse later, though no list has them.
 */
export interface StringShape {
  readonly type: 'string';
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly listed?: ShapeName;
  readonly unlisted?: readonly string[];
  readonly sensitive?: true;
}

/** Bounds count bytes. */
export interface BlobShape {
  readonly type: 'blob';
  readonly min?: number;
  readonly max?: number;
  readonly sensitive?: true;
}

/** Bounds are values. */
export interface IntegerShape {
  readonly type: 'integer';
  readonly min?: number;
  readonly max?: number;
}

export interface BooleanShape {
  readonly type: 'boolean';
}

export interface TimestampShape {
  readonly type: 'timestamp';
}

export type Shape =
  | StructureShape
  | ListShape
  | MapShape
  | StringShape
  | BlobShape
  | IntegerShape
  | BooleanShape
  | TimestampShape;

/** What an operation takes and returns. An operation without output answers with an empty body. */
export interface OperationShape {
  readonly input: ShapeName;
  readonly output: ShapeName | undefined;
  readonly errors: readonly KmsErrorName[];
}
