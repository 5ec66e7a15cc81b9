"""The house: workers, queues, models and money, for operators."""
