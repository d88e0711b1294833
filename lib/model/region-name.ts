import { ConfigurationError } from '../core/configuration-error.ts';

const pattern = /^[a-z]{2,}(?:-[a-z]+)+-\d+$/;
// As AWS's model bounds ReplicaRegion.
const longest = 32;

/** Tells whether a text has the form of a region's name, such as us-east-1. */
export function isRegionName(text: string): boolean {
  return text.length <= longest && pattern.test(text);
}

export function noRegion(text: string): ConfigurationError {
  return new ConfigurationError(`'${text}' is not a region name such as us-east-1`);
}
