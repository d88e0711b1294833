import type { MapShape, StructureShape } from '../../model/shape.ts';
import { type OperationName, operationShapes, type ShapeName, shapes } from '../../model/shapes.ts';
import type { OptionSyntax } from './argument-parser.ts';
import { kebabCase } from './operation-names.ts';

/** A member of a request and the option that sets it. */
export interface RequestOption {
  readonly member: string;
  readonly option: string;
  readonly shape: ShapeName;
  readonly isRequired: boolean;
}

/** The options of an operation, in the order of its request's members. */
export function requestOptions(operation: OperationName): readonly RequestOption[] {
  const { members, required = [] } = structure(operationShapes[operation].input);
  return Object.entries(members).map(([member, shape]) => ({
    member,
    option: `--${kebabCase(member)}`,
    shape,
    isRequired: required.includes(member),
  }));
}

/** How the options are written: a boolean has a `--no-` form, a list takes any number of words. */
export function optionSyntax(options: readonly RequestOption[]): readonly OptionSyntax[] {
  return options.flatMap(({ member, option, shape, isRequired }): OptionSyntax[] => {
    const { type } = shapes[shape];
    if (type === 'boolean') {
      const negative = `--no-${option.slice(2)}`;
      return [
        { name: option, key: member, takes: 'nothing', means: true },
        { name: negative, key: member, takes: 'nothing', means: false },
      ];
    }
    const takes = type === 'list' ? 'any' : 'one';
    return [{ name: option, key: member, takes, required: isRequired }];
  });
}

export function structure(name: ShapeName): StructureShape {
  const shape = shapes[name];
  if (shape.type !== 'structure') throw new TypeError(`${name} is not a structure`);
  return shape;
}

/** The shape of a member or entry. A key that the model does not know has none. */
export function memberShape(shape: StructureShape | MapShape, key: string): ShapeName | undefined {
  if (shape.type === 'map') return shape.value;
  return Object.hasOwn(shape.members, key) ? shape.members[key] : undefined;
}
