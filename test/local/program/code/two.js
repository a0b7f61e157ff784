export const text = "two";
