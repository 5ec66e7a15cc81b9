"""Operations: workers, queues, models and money, for operators."""
