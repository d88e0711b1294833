import { type OfferedOperation, operations } from '../operations/index.ts';

export { isOffered, loadOperations, type OfferedOperation } from '../operations/index.ts';

/** The names of all operations that are offered, as AWS spells them. */
export const operationNames = Object.keys(operations) as readonly OfferedOperation[];
