import { type OperationName, operationShapes } from '../../model/shapes.ts';
import { type ParsedArguments, parseKnown } from '../argument-parser.ts';
import { type Context, type OwnOptions, oneShot, withService } from '../context.ts';
import { isServiceFailure, ServiceError, UnknownOptionsError } from '../errors.ts';
import { optionSyntax, requestOptions } from '../operation-options.ts';
import { formatResponse } from '../output.ts';
import { callToTheEnd } from '../paginated-call.ts';
import { readParameter } from '../parameter-values.ts';
import { checkRequest, decodeBlobs } from '../request-checks.ts';
import { Dictionary, toRequest } from '../value.ts';

/** Reads the request from the command line, makes it, and prints the response. */
export async function runOperation(
  operation: OperationName,
  argv: readonly string[],
  own: OwnOptions,
  context: Context,
): Promise<void> {
  const parsed = parse(operation, argv);
  if (parsed.positional === 'help') {
    const { operationHelp } = await import('../help.ts');
    context.stdout.write(operationHelp(operation));
    return;
  }
  const request = readRequest(operation, parsed);
  const response = await withService(context, oneShot(own), async (service) => {
    try {
      return await callToTheEnd(service, operation, request);
    } catch (error) {
      throw isServiceFailure(error) ? new ServiceError(operation, error) : error;
    }
  });
  context.stdout.write(formatResponse(operation, response));
}

function parse(operation: OperationName, argv: readonly string[]): ParsedArguments {
  if (argv.length === 1 && argv[0] === 'help') {
    return { given: new Map(), positional: 'help', rest: [] };
  }
  const options = optionSyntax(requestOptions(operation));
  const positional = { name: 'help', required: false };
  return parseKnown({ options, positional, abbreviations: true }, argv);
}

/** Throws what the AWS CLI complains about before it sends anything. */
function readRequest(
  operation: OperationName,
  { given, positional, rest }: ParsedArguments,
): object {
  // argparse gives the first loose word to `help`; it is listed last when it is another word.
  const unknown = positional === undefined ? rest : [...rest, positional];
  if (unknown.length > 0) {
    throw new UnknownOptionsError(unknown);
  }
  const request = new Dictionary();
  for (const option of requestOptions(operation)) {
    const value = given.get(option.member);
    if (value !== undefined) {
      request.set(option.member, readParameter(option, value));
    }
  }
  const { input } = operationShapes[operation];
  decodeBlobs(input, request);
  checkRequest(input, request);
  return toRequest(request) as object;
}
