import { parseRequest } from '../../model/request.ts';
import type { OperationName } from '../../model/shapes.ts';
import { operationShapes } from '../../model/shapes.ts';
import { cannotParse, isServiceFailure, ServiceError } from '../errors.ts';
import { Dictionary, toRequest } from '../python/value.ts';
import { requestOptions } from './operation-options.ts';
import { readParameter } from './parameter-values.ts';
import { checkRequest, decodeBlobs } from './request-checks.ts';
import { required } from './usage.ts';

type Given = ReadonlyMap<string, string>;

/** @throws UsageError if one of these options is missing */
export function requireOptions(given: Given, names: readonly string[]): void {
  const missing = names.filter((name) => !given.has(name));
  if (missing.length > 0) throw required(...missing);
}

/** Makes the request of an operation from the options that it shares with a command of our own. */
export function requestOf(operation: OperationName, given: Given): object {
  const request = new Dictionary();
  for (const option of requestOptions(operation)) {
    const value = given.get(option.option);
    if (value !== undefined) request.set(option.member, readParameter(option, value));
  }
  const { input } = operationShapes[operation];
  decodeBlobs(input, request);
  checkRequest(input, request);
  return checked(operation, toRequest(request) as object);
}

/** Checks a request against the model before a store is opened, or even made. */
function checked(operation: OperationName, request: object): object {
  try {
    parseRequest(operation, request);
  } catch (error) {
    throw isServiceFailure(error) ? new ServiceError(operation, error) : error;
  }
  return request;
}

/** A whole number from `least`; undefined if the option is not given. */
export function readCount(given: Given, name: string, least = 1): number | undefined {
  const text = given.get(name);
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text) && Number(text) >= least) return Number(text);
  throw cannotParse(name, `'${text}' is not a whole number from ${least}`);
}
