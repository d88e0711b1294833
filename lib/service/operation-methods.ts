import type { Requests, Responses } from '../model/types.ts';
import { type OfferedOperation, operationNames } from './operation-names.ts';
import type { RequestOptions } from './options.ts';

/** One method per operation that is offered, named as in AWS's API with a small first letter. */
export type OperationMethods = {
  [O in OfferedOperation as Uncapitalize<O>]: (
    request: Requests[O],
    options?: RequestOptions,
  ) => Promise<Responses[O]>;
};

abstract class Base {
  abstract call(name: string, request: unknown, options?: RequestOptions): Promise<object>;
}

// The only place that turns the table of operations into methods.
for (const name of operationNames) {
  Object.defineProperty(Base.prototype, methodName(name), {
    value(this: Base, request: unknown, options?: RequestOptions) {
      return this.call(name, request ?? {}, options);
    },
    writable: true,
    configurable: true,
  });
}

function methodName(operation: string): string {
  return operation.charAt(0).toLowerCase() + operation.slice(1);
}

/** The base of a class with the operations' methods, each of which calls its `call`. */
export const WithOperationMethods = Base as unknown as abstract new () => OperationMethods;
