import { type OperationName, operationShapes } from '../../model/shapes.ts';

/** All operations of AWS KMS by the names that the AWS CLI gives them. */
export const operations: ReadonlyMap<string, OperationName> = new Map(
  (Object.keys(operationShapes) as OperationName[]).map((name) => [kebabCase(name), name]),
);

/** A name as the AWS CLI spells it: GenerateDataKeyPair is generate-data-key-pair. */
export function kebabCase(name: string): string {
  return name
    .replace(/[A-Z]{2,}s$/, (acronyms) => `-${acronyms.toLowerCase()}`)
    .replace(/(.)([A-Z][a-z]+)/g, '$1-$2')
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase();
}
