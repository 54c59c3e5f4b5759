/**
 * The default of a switch over a union. The compiler accepts it only while every member has a case of its own, so a
 * member that the schema gains does not compile until it is handled. A page built before that shows its message.
 */
export function unreachable(member: never): { message?: string } {
  return { message: (member as { message?: string }).message };
}
