export function chatPanel(): void {}
