"""The bundled agent, and what every room shares: sessions, models, embeddings, privacy."""
