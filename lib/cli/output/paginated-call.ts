import { type OperationName, operationShapes } from '../../model/shapes.ts';
import type { GivenValue, OptionSyntax } from '../arguments/argument-parser.ts';
import { checkRequest } from '../arguments/request-checks.ts';
import type { Service } from '../context.ts';
import { GeneralError, ParameterError, UsageError } from '../errors.ts';
import { pythonRepr } from '../python/python-text.ts';
import { Dictionary, type Value } from '../python/value.ts';

/** The list that a paginated operation returns piece by piece. */
const listMembers: Readonly<Partial<Record<OperationName, string>>> = {
  DescribeCustomKeyStores: 'CustomKeyStores',
  ListAliases: 'Aliases',
  ListGrants: 'Grants',
  ListKeyPolicies: 'PolicyNames',
  ListKeyRotations: 'Rotations',
  ListKeys: 'Keys',
  ListResourceTags: 'Tags',
  ListRetirableGrants: 'Grants',
};

export interface PagingOption extends OptionSyntax {
  readonly takes: 'one';
  readonly value: string;
  readonly explanation: string;
}

const pagingRows: readonly PagingOption[] = [
  {
    name: '--starting-token',
    key: 'startingToken',
    takes: 'one',
    value: 'TOKEN',
    explanation: 'go on where --max-items stopped: the NextToken that was printed then',
  },
  {
    name: '--page-size',
    key: 'pageSize',
    takes: 'one',
    value: 'COUNT',
    explanation: 'how many items each request asks for; all of them are printed nevertheless',
  },
  {
    name: '--max-items',
    key: 'maxItems',
    takes: 'one',
    value: 'COUNT',
    explanation: 'how many items to print; a NextToken is printed if there are more',
  },
];

/** The options of a list's operation beside those of its request; no other operation has any. */
export function pagingOptions(operation: OperationName): readonly PagingOption[] {
  return Object.hasOwn(listMembers, operation) ? pagingRows : [];
}

export interface Paging {
  readonly startingToken?: string;
  readonly pageSize?: number;
  readonly maxItems?: number;
  /** False fetches one page, as it is. */
  readonly paginate: boolean;
  /** False leaves sizes and tokens to the service. */
  readonly validates?: boolean;
}

/** Reads the paging options. Throws UsageError for a value that is not a number. */
export function readPaging(
  given: ReadonlyMap<string, GivenValue>,
): Omit<Paging, 'paginate' | 'validates'> {
  const startingToken = given.get('startingToken');
  const pageSize = readCount(given, '--page-size', 'pageSize');
  const maxItems = readCount(given, '--max-items', 'maxItems');
  return {
    ...(typeof startingToken === 'string' && { startingToken }),
    ...(pageSize !== undefined && { pageSize }),
    ...(maxItems !== undefined && { maxItems }),
  };
}

/** Python's int() allows spaces around the digits and underscores between them. */
const wholeNumber = /^\s*[-+]?\d+(_\d+)*\s*$/;

function readCount(
  given: ReadonlyMap<string, GivenValue>,
  name: string,
  key: string,
): number | undefined {
  const text = given.get(key);
  if (typeof text !== 'string') return undefined;
  if (!wholeNumber.test(text)) {
    throw new UsageError(`argument ${name}: invalid int value: ${pythonRepr(text)}`);
  }
  return Number(text.replaceAll('_', ''));
}

/** The answers to a request. They are asked for one after the other, as they are read. */
export interface ResponsePages extends AsyncIterable<object | undefined> {
  /** The member whose items the pages share out. Absent if there is one response only. */
  readonly listMember?: string;
  /** The value for --starting-token with which to go on. Known after the last page. */
  readonly nextToken?: string | undefined;
}

type Calls = Pick<Service, 'call'>;

/**
 * Makes the request. A list is fetched to its end, or to `maxItems`, unless the request asks for a
 * page itself, by its limit or marker.
 *
 * @throws ParameterError, GeneralError, at the latest when the first page is read
 */
export function responsePages(
  service: Calls,
  operation: OperationName,
  request: object,
  paging: Paging,
): ResponsePages {
  const listMember = listMembers[operation];
  if (listMember === undefined) return singleResponse(service, operation, request);
  if (!paging.paginate || 'Limit' in request || 'Marker' in request) {
    refusePaging(paging);
    return singleResponse(service, operation, request);
  }
  return new ListPages(service, operation, request, paging, listMember);
}

async function* singleResponse(service: Calls, operation: OperationName, request: object) {
  yield (await service.call(operation, request)) as object | undefined;
}

function refusePaging(paging: Paging): void {
  const used = pagingRows.filter(({ key }) => key in paging);
  if (used.length > 0) {
    const names = used.map(({ name }) => name).join(', ');
    throw new ParameterError(
      `Cannot specify --no-paginate along with pagination arguments: ${names}`,
    );
  }
}

interface Page extends Readonly<Record<string, unknown>> {
  readonly Truncated?: boolean;
  readonly NextMarker?: string;
}

interface ListRequest {
  readonly Limit?: number;
  readonly Marker?: string;
}

/** A place in a list: the request for a page, and how many of its items were printed before. */
interface Position {
  readonly request: ListRequest;
  readonly skipped: number;
  /** How many items are still to be printed. */
  readonly left: number;
}

class ListPages implements ResponsePages {
  readonly listMember: string;
  nextToken: string | undefined;
  readonly #service: Calls;
  readonly #operation: OperationName;
  readonly #request: object;
  readonly #paging: Paging;
  #lastMarker: string | undefined;

  constructor(
    service: Calls,
    operation: OperationName,
    request: object,
    paging: Paging,
    listMember: string,
  ) {
    this.#service = service;
    this.#operation = operation;
    this.#request = request;
    this.#paging = paging;
    this.listMember = listMember;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<object> {
    let position: Position | undefined = await this.#firstPosition();
    while (position !== undefined) {
      const { request, skipped, left } = position;
      const page = (await this.#service.call(this.#operation, request)) as Page;
      const all = page[this.listMember] as readonly unknown[] | undefined;
      const items = all?.slice(skipped) ?? [];
      const shown = items.length > left ? items.slice(0, left) : items;
      yield all === undefined ? page : { ...page, [this.listMember]: shown };
      if (items.length > left) return this.#stop(request.Marker, skipped + left);
      position = await this.#nextPosition(position, page, items.length);
    }
  }

  async #firstPosition(): Promise<Position> {
    const { startingToken, pageSize, maxItems: left = Number.POSITIVE_INFINITY } = this.#paging;
    const { members, skipped } =
      startingToken === undefined
        ? { members: {}, skipped: 0 }
        : (await import('./paging-token.ts')).parseToken(startingToken);
    const limit = pageSize === undefined ? {} : { Limit: pageSize };
    const request: ListRequest = { ...this.#request, ...members, ...limit };
    if (this.#paging.validates !== false) checkFirst(this.#operation, request);
    return { request, skipped, left };
  }

  async #nextPosition(
    { request, left }: Position,
    { Truncated, NextMarker }: Page,
    count: number,
  ): Promise<Position | undefined> {
    if (Truncated !== true || !NextMarker) return undefined;
    if (count === left) {
      await this.#stop(NextMarker);
      return undefined;
    }
    if (NextMarker === this.#lastMarker) {
      const token = pythonRepr(new Dictionary([['Marker', NextMarker]]));
      throw new GeneralError(
        `Error during pagination: The same next token was received twice: ${token}`,
      );
    }
    this.#lastMarker = NextMarker;
    return { request: { ...request, Marker: NextMarker }, skipped: 0, left: left - count };
  }

  async #stop(marker: string | undefined, skipped?: number): Promise<void> {
    const { formatToken } = await import('./paging-token.ts');
    this.nextToken = formatToken(marker, skipped);
  }
}

/** Complains about the size and token of pages as about a request that has them. */
function checkFirst(operation: OperationName, request: ListRequest): void {
  const members = Object.entries(request).map(([name, value]): [string, Value] => [
    name,
    typeof value === 'number' ? BigInt(value) : (value as Value),
  ]);
  checkRequest(operationShapes[operation].input, new Dictionary(members));
}
