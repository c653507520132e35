"""What mastra asks of the outside: one short abstract class a file. Adapters implement them."""
