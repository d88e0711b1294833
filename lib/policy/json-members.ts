// Valid JSON is a sequence of these; numbers, commas and the like need not be told apart.
const tokenPattern = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/g;

/**
 * Finds a member name that an object in a JSON text has twice; JSON.parse would keep the last.
 *
 * @param text valid JSON
 */
export function duplicateMember(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (const [token, colon] of text.matchAll(tokenPattern)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (colon !== undefined) {
      const name: string = JSON.parse(token.slice(0, -colon.length));
      const members = open.at(-1);
      if (members?.has(name)) return name;
      members?.add(name);
    }
  }
  return undefined;
}
