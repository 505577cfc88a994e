"""Release strategies: how a revision that passes its checks gets more traffic."""
