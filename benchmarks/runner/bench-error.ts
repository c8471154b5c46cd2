// What ends a run with a message and no stack: wrong options, a store that refuses, bytes that
// differ.

export class BenchError extends Error {}
