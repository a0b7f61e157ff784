export function sessionPanel(): void {}
