export async function session(): Promise<string> {
  throw new Error("not yet");
}
