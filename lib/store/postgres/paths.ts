/** Sorts after all characters of paths, which are printable ASCII, in the collation "C". */
export const afterAll = '\x7f';
